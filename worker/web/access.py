"""Who may do what over the web: tokens with scopes, and without any, only this machine."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.errors import RedisUnavailable
from jobs.store import RunStore
from worker import tokens
from worker.tokens import Token
from worker.web.answers import answer_problem, answer_redis_away
from worker.web.link import Link

_OPEN = ("/healthz", "/readyz")  # probes; what they tell is no secret
_KNOWS_LITTLE = (
    "/metrics"  # answered without a check of the token while Redis, which has them, is away; it says just that
)
_OPEN_BELOW = ("/static/", "/webhooks/planet/")  # a webhook has a secret of its own
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SUBMITTING = frozenset({"/v1/runs", "/v1/batches", "/v1/preview"})
_OWN_SITE = frozenset({"same-origin", "none"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAKE_ONE = "make one with `planet-orders token create NAME --scope read`"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="planet-orders", Basic realm="planet-orders", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: HTTPStatus
    detail: str


class Access:
    """Lets through who may do what they ask for, before anything of the request's body is read.

    With tokens in Redis, each request needs one with the right scope: as `Authorization: Bearer`, or as the password of
    Basic, which browsers ask people for. While there are none, loopback is open, to callers that name it as loopback: a
    page from elsewhere whose name was made to lead here does not.

    Args:
        app: what is behind it.
        link: to Redis, which has the tokens.
        loopback: whether only this machine reaches the process.
        public_url: another address under which it may be called, through a proxy.
    """

    def __init__(self, app: ASGIApp, link: Link, *, loopback: bool, public_url: str | None) -> None:
        self._app, self._link, self._loopback = app, link, loopback
        self._hosts = _LOOPBACK | ({_host_of(public_url)} if public_url else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            request = Request(scope)
            refused = await self._refuse(request)
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refuse(self, request: Request) -> Response | None:
        try:
            refusal = _refuse_other_site(request) or await self._refuse_caller(request)
        except RedisUnavailable as error:
            request.scope["unchecked"] = True
            return None if request.scope["path"] == _KNOWS_LITTLE else answer_redis_away(request, error)
        if refusal is None:
            return None
        headers = _CHALLENGE if refusal.status is HTTPStatus.UNAUTHORIZED else None
        return answer_problem(request, refusal.status, refusal.detail, headers)

    async def _refuse_caller(self, request: Request) -> _Refusal | None:
        shown = _token_of(request)
        token, exist = await self._link.ask(lambda store: _look_up(store, shown))
        if not exist:
            return self._refuse_without_tokens(request)
        if token is None:
            why = "This token is not known; it may have been revoked" if shown else "A token is needed"
            return _Refusal(HTTPStatus.UNAUTHORIZED, f"{why}. Send it as `Authorization: Bearer TOKEN`; {_MAKE_ONE}.")
        needed = scope_needed(request.method, request.scope["path"])
        if needed not in token.scopes:
            detail = f"The token {token.name!r} has no scope {needed.value!r}; make one that has."
            return _Refusal(HTTPStatus.FORBIDDEN, detail)
        request.scope["caller"] = token.name
        return None

    def _refuse_without_tokens(self, request: Request) -> _Refusal | None:
        if not self._loopback:
            return _Refusal(HTTPStatus.UNAUTHORIZED, f"No token has been made yet; {_MAKE_ONE}.")
        if _host_of(f"//{request.headers.get('host', '')}") not in self._hosts:
            detail = f"Without tokens only callers that name this host localhost are answered; {_MAKE_ONE}."
            return _Refusal(HTTPStatus.MISDIRECTED_REQUEST, detail)
        return None


def is_unchecked(request: Request) -> bool:
    """Whether nobody could be asked who the caller is: nothing that Redis knows is to be told."""
    return bool(request.scope.get("unchecked"))


def scope_needed(method: str, path: str) -> tokens.Scope:
    """What a token must allow for a request; an address that is not known counts as reading or operating."""
    if method in _READING:
        return tokens.Scope.READ
    return tokens.Scope.SUBMIT if path in _SUBMITTING else tokens.Scope.OPERATE


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _refuse_other_site(request: Request) -> _Refusal | None:
    """A page of another site must not use what a browser knows of its user: it sends along where it comes from."""
    if request.method in _READING:
        return None
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_own = site in _OWN_SITE if site else origin is None or origin.partition("://")[2] == request.headers.get("host")
    return None if is_own else _Refusal(HTTPStatus.FORBIDDEN, "A page of another origin cannot do this.")


def _host_of(url: str) -> str:
    """The host of an address, in lower case; the empty text where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _token_of(request: Request) -> str:
    """The token that the caller shows; the empty text where there is none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            try:
                return base64.b64decode(credentials, validate=True).decode(errors="replace").partition(":")[2]
            except binascii.Error:
                return ""
        case _:
            return ""


async def _look_up(store: RunStore, shown: str) -> tuple[Token | None, bool]:
    """The token, and whether there are any; one round trip in the ordinary case."""
    token = await tokens.find_token(store.redis, shown) if shown else None
    return token, token is not None or await tokens.has_tokens(store.redis)
