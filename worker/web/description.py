"""The OpenAPI document: what FastAPI finds out by itself, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from worker.web.answers import ProblemDocument

_ABOUT = """\
Submit Planet orders as runs, and see how they are.

Request bodies of `POST /v1/runs` are Planet's own order requests plus a few fields. Errors are RFC 9457 problem
documents. Moves of runs as they happen are server-sent events at `GET /v1/events`, which is no operation here: no
generated client reads a stream. It takes `run_id`, `batch_id` and the `Last-Event-ID` header."""


def describe(app: FastAPI) -> None:
    """Have the application tell its OpenAPI document."""

    def tell() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = tell  # type: ignore[method-assign]  # as FastAPI's manual says


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    _, shared = models_json_schema([(ProblemDocument, "serialization")], ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(shared["$defs"])
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "Made by `planet-orders token create`."}
    }
    document["security"] = [{"token": []}, {}]  # none is needed on this machine while none has been made
    for path, operations in document["paths"].items():
        if not path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = []
    return document
