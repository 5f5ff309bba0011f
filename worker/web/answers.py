"""How errors are told: as a page to people, as an RFC 9457 problem document to programs."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from jobs.errors import RedisUnavailable, RunNotFound
from jobs.redaction import Redactor
from worker.web.headers import SAFE_HEADERS
from worker.web.templates import render
from worker.web.verdict import redis_away
from worker.wording import sentence

_REDACTOR = Redactor()
_RETRY_AFTER = {"Retry-After": "2"}  # Redis comes back by itself, or not


class FieldError(BaseModel):
    """One parameter that is wrong."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457; `title` and `status` say what kind, `detail` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = None


def answer_errors(app: FastAPI) -> None:
    """Give every error of the application its answer."""
    app.add_exception_handler(RunNotFound, _run_not_found)
    app.add_exception_handler(RedisUnavailable, _redis_away)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_fault)


def _run_not_found(request: Request, error: Exception) -> Response:
    return _answer(request, 404, sentence(str(error)))


def _redis_away(request: Request, error: Exception) -> Response:
    if _is_for_programs(request):
        return _answer(request, 503, sentence(f"Redis is away: {error}"), _RETRY_AFTER)
    html = render("away.html", request, verdict=redis_away(str(error)))
    return Response(html, 503, _RETRY_AFTER, "text/html")


def _wrong_parameter(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    wrong = [
        FieldError(field=".".join(map(str, each["loc"][1:])), message=each["msg"].removeprefix("Value error, "))
        for each in errors
    ]
    detail = "; ".join(f"{each.field}: {each.message}" for each in wrong)
    return _answer(request, 422, detail, errors=wrong)


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    detail = {
        404: "There is nothing at this address.",
        405: f"This address does not answer {request.method}.",
    }.get(status, str(getattr(error, "detail", "")))
    return _answer(request, status, detail, headers)


def _our_fault(request: Request, _: Exception) -> Response:
    """The server logs the error itself; it is sent before our headers are added, and so brings its own."""
    return _answer(request, 500, "This could not be answered; the log of the web process says why.", SAFE_HEADERS)


def _answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
) -> Response:
    title = HTTPStatus(status).phrase
    if not _is_for_programs(request):
        html = render("error.html", request, status=status, title=title, detail=detail)
        return Response(html, status, headers, "text/html")
    path = _REDACTOR.text(request.url.path)  # that of a webhook ends in a secret
    problem = ProblemDocument(title=title, status=status, detail=detail, instance=path, errors=errors)
    return Response(problem.model_dump_json(exclude_none=True), status, headers, "application/problem+json")


def _is_for_programs(request: Request) -> bool:
    """The API speaks JSON, a page HTML unless only JSON is accepted, and an unknown address what is accepted."""
    path, accept = request.url.path, request.headers.get("accept", "")
    if path.startswith("/v1/"):
        return True
    is_page = path == "/" or path.startswith("/runs/")
    return "text/html" not in accept and ("json" in accept or not is_page)
