"""The object storage that links lead to: ranges, validators, and every way a body can go wrong."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .answers import answer_fault
from .body import Body
from .clock import as_datetime
from .delivery import StoredObject
from .faults import Fault, FaultKind
from .links import storage_alias, unquote_key
from .world import World

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of an object that are asked for, and whether they were asked for as a range."""

    start: int
    stop: int
    is_range: bool


def read_range(header: str | None, size_bytes: int) -> Span | None:
    """The span that a Range header asks for; the whole when it is no single range, None when it cannot be satisfied."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return Span(0, size_bytes, is_range=False)
    first, last = match.groups()
    if not first:
        start, stop = max(0, size_bytes - int(last)), size_bytes
    else:
        start, stop = int(first), min(size_bytes, int(last) + 1) if last else size_bytes
    if first and last and int(last) < int(first):
        return Span(0, size_bytes, is_range=False)
    return Span(start, stop, is_range=True) if start < stop else None


class Storage:
    """ASGI app for GET and HEAD of signed addresses."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, world = Request(scope), self._world
        key = unquote_key(request.url.path)
        world.journal.note_request("storage", "")
        faults = world.faults.take("storage", world.name_subjects(key))
        if await answer_fault(world, "storage", faults, scope, receive, send):
            return
        reply = self._refuse(request, key, faults) or await self._find(request, key, faults)
        if isinstance(reply, Response):
            world.journal.answers["storage"][reply.status_code] += 1
            await reply(scope, receive, send)
            return
        world.journal.answers["storage"][reply.status] += 1
        if request.method == "HEAD":
            await reply.send_head(send, more=False)
        else:
            await reply.send(world.journal, world.wire, scope, receive, send)

    async def _find(self, request: Request, key: str, faults: Mapping[FaultKind, Fault]) -> Body | Response:
        stored = await self._world.open_object(key)
        if stored is None:
            return describe_error(404, "NoSuchKey", "The specified key does not exist.")
        if "range" in request.headers:
            self._world.journal.ranges[stored.file.name].append(request.headers["range"])
        return self._prepare(request, stored, faults)

    def _refuse(self, request: Request, key: str, faults: Mapping[FaultKind, Fault]) -> Response | None:
        status = self._world.settings.expired_storage_status
        if request.method not in {"GET", "HEAD"}:
            return describe_error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if "authorization" in request.headers and self._is_elsewhere(request):
            return describe_error(
                400, "InvalidArgument", "Only one form of authentication may be used: signature or header."
            )
        if FaultKind.EXPIRED_LINK in faults or self._world.shelf.is_stale(key):
            return describe_error(status, "ExpiredToken", "Invalid argument: the signature has expired.")
        try:
            self._world.links.check_signature(key, request.url.query)
        except PermissionError:
            return describe_error(status, "ExpiredToken", "Invalid argument: the signature has expired.")
        except (ValueError, KeyError):
            return describe_error(403, "SignatureDoesNotMatch", "The request signature does not match the address.")
        return None

    def _is_elsewhere(self, request: Request) -> bool:
        """Is the storage on another host than the API, so that a client had to drop its credentials on the way?"""
        base_url = str(request.base_url).rstrip("/")
        return self._world.settings.storage_url is not None or storage_alias(base_url) != base_url

    def _prepare(self, request: Request, stored: StoredObject, faults: Mapping[FaultKind, Fault]) -> Body | Response:
        """The reply to a good request: a body to send, or 416."""
        extra = faults[FaultKind.EXTRA_BYTES].extra_bytes if FaultKind.EXTRA_BYTES in faults else 0
        size_bytes = stored.content.size_bytes + extra
        validators = {"etag": make_etag(stored), "last-modified": _http_date(stored.modified_us)}
        asked = request.headers.get("range")
        if (
            request.headers.get("if-range", validators["etag"]) not in validators.values()
            or FaultKind.RANGE_IGNORED in faults
        ):
            asked = None
        span = read_range(asked, size_bytes)
        if span is None:
            refused = describe_error(416, "InvalidRange", "The requested range cannot be satisfied.")
            refused.headers["content-range"] = f"bytes */{size_bytes}"
            return refused
        headers = {
            "content-type": stored.file.media_type,
            "accept-ranges": "bytes",
            "cache-control": "private, max-age=0",
        }
        headers |= validators | _describe_span(span, size_bytes, faults) | _describe_name(stored.file.name, faults)
        if FaultKind.NO_ETAG in faults:
            del headers["etag"]
        if FaultKind.NO_CONTENT_LENGTH in faults:
            del headers["content-length"]
        status, speed = 206 if span.is_range else 200, self._world.settings.body_bytes_per_s
        return Body(stored.file.name, stored.content, span.start, span.stop, status, headers, faults, speed)


def make_etag(stored: StoredObject) -> str:
    """A strong validator: equal for equal bytes at the same key."""
    state = f"{stored.key}:{stored.content.size_bytes}:{stored.modified_us}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def describe_error(status: int, code: str, message: str) -> Response:
    """An error as Google's storage writes it."""
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(text, status, media_type="application/xml")


def _describe_span(span: Span, size_bytes: int, faults: Mapping[FaultKind, Fault]) -> dict[str, str]:
    headers = {"content-length": str(span.stop - span.start)}
    if span.is_range:
        shift = 1 if FaultKind.WRONG_CONTENT_RANGE in faults else 0
        headers["content-range"] = f"bytes {span.start + shift}-{span.stop - 1 + shift}/{size_bytes + shift}"
    return headers


def _describe_name(name: str, faults: Mapping[FaultKind, Fault]) -> dict[str, str]:
    if FaultKind.NO_CONTENT_DISPOSITION in faults:
        return {}
    shown = faults[FaultKind.EVIL_DISPOSITION].name if FaultKind.EVIL_DISPOSITION in faults else name
    return {"content-disposition": f'attachment; filename="{shown}"'}


def _http_date(moment_us: int) -> str:
    return format_datetime(as_datetime(moment_us).astimezone(UTC).replace(microsecond=0), usegmt=True)
