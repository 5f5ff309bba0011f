"""How errors are told: as a page to people, as an RFC 9457 problem document to programs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from jobs.errors import (
    BadRequest,
    BatchNotFound,
    KeyReused,
    NotPossible,
    RedisUnavailable,
    RunNotFound,
    SubmitUncertain,
    UnreadableRun,
)
from jobs.redaction import Redactor
from worker.web.headers import SAFE_HEADERS
from worker.web.templates import render
from worker.web.verdict import redis_away
from worker.wording import sentence

_REDACTOR = Redactor()
_PAGES = {"", "runs", "batches", "failures", "submit", "docs"}  # the first part of their addresses
_RETRY_AFTER = {"Retry-After": "2"}  # Redis comes back by itself, or not


class FieldError(BaseModel):
    """One parameter, or one field of a body, that is wrong."""

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
    run_ids: list[str] | None = None
    """The runs it is about: the one that has the key already, or those that may have been taken."""


def answer_errors(app: FastAPI) -> None:
    """Give every error of the application its answer."""
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, partial(_our_error, status))
    app.add_exception_handler(BadRequest, _bad_request)
    app.add_exception_handler(RedisUnavailable, answer_redis_away)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _our_fault)


_STATUS: dict[type[Exception], int] = {
    RunNotFound: 404,
    BatchNotFound: 404,
    NotPossible: 409,
    KeyReused: 409,
    SubmitUncertain: 503,
    UnreadableRun: 500,
}


def _our_error(status: int, request: Request, error: Exception) -> Response:
    about: list[str] | None = None
    if isinstance(error, KeyReused):
        about = [error.run_id]
    elif isinstance(error, SubmitUncertain):
        about = list(error.run_ids)
    headers = _RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return answer_problem(request, status, sentence(str(error)), headers, run_ids=about)


def answer_redis_away(request: Request, error: Exception) -> Response:
    """The answer while Redis is away: it says so, and when to ask again."""
    if _is_for_programs(request):
        return answer_problem(request, 503, sentence(f"Redis is away: {error}"), _RETRY_AFTER)
    html = render("away.html", request, verdict=redis_away(str(error)))
    return Response(html, 503, _RETRY_AFTER, "text/html")


def _bad_request(request: Request, error: Exception) -> Response:
    problems = error.problems if isinstance(error, BadRequest) else ()
    return _answer_fields(request, [FieldError(field=each.field, message=each.message) for each in problems])


def _wrong_parameter(request: Request, error: Exception) -> Response:
    """Name what is wrong; a body that could not even be read is another matter."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    for each in errors:
        if each["type"] == "json_invalid":
            where = f"{each['ctx']['error']} at character {each['loc'][-1]}"
            return answer_problem(request, 400, f"The body is not JSON: {where}.")
        if each["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
            return answer_problem(request, 415, "The body must be JSON, sent with Content-Type: application/json.")
    return _answer_fields(
        request,
        [
            FieldError(field=".".join(map(str, each["loc"][1:])), message=each["msg"].removeprefix("Value error, "))
            for each in errors
        ],
    )


def _answer_fields(request: Request, wrong: list[FieldError]) -> Response:
    detail = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in wrong)
    return answer_problem(request, 422, detail, errors=wrong)


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_methods_at(request))}
    detail = {
        404: "There is nothing at this address.",
        405: f"This address does not answer {request.method}.",
    }.get(status, str(getattr(error, "detail", "")))
    return answer_problem(request, status, detail, headers)


def _methods_at(request: Request) -> list[str]:
    """What the address of a request does answer; the router knows only of the first of its routes."""
    return [
        method
        for method in ("GET", "POST")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


def _our_fault(request: Request, _: Exception) -> Response:
    """The server logs the error itself; it is sent before our headers are added, and so brings its own."""
    detail = "This could not be answered; the log of the web process says why."
    return answer_problem(request, 500, detail, SAFE_HEADERS)


def answer_problem(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
    run_ids: list[str] | None = None,
) -> Response:
    """The answer to a request that cannot have what it asks for: a page, or a problem document."""
    title = HTTPStatus(status).phrase
    if not _is_for_programs(request):
        html = render("error.html", request, status=status, title=title, detail=detail)
        return Response(html, status, headers, "text/html")
    path = _REDACTOR.text(request.scope["path"])  # that of a webhook ends in a secret
    problem = ProblemDocument(title=title, status=status, detail=detail, instance=path, errors=errors, run_ids=run_ids)
    return Response(problem.model_dump_json(exclude_none=True), status, headers, "application/problem+json")


def _is_for_programs(request: Request) -> bool:
    """The API speaks JSON, a page HTML unless only JSON is accepted, and an unknown address what is accepted."""
    path, accept = request.scope["path"], request.headers.get("accept", "")
    if path.startswith("/v1/"):
        return True
    is_page = path.split("/")[1] in _PAGES
    return "text/html" not in accept and ("json" in accept or not is_page)
