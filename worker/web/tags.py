"""Answers that need not be sent again while nothing has changed."""

from __future__ import annotations

from hashlib import sha256

from fastapi import Request, Response
from pydantic import BaseModel


def answer_tagged(request: Request, body: BaseModel) -> Response:
    """The body with its ETag, or 304 where `If-None-Match` names that tag already."""
    content = body.model_dump_json().encode()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
