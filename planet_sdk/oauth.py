"""OAuth for machines: tokens by client credentials, fetched when needed, renewed before they end, never logged.

Planet's service accounts get a client id and a secret; the token they buy is sent as `Authorization: Bearer`. Addresses
and environment names are those of Planet's own SDK from 3.0 on (docs.planet.com, "Authentication", read 2026-11).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from planet_sdk.answers import error_for, typed_errors
from planet_sdk.auth import Auth
from planet_sdk.exceptions import AuthException, RequestError
from planet_sdk.identity import HEADERS
from planet_sdk.redaction import keep_links_out_of_logs

__all__ = ["AUDIENCE", "ENV_CLIENT_ID", "ENV_CLIENT_SECRET", "TOKEN_URL", "OAuthM2M"]

TOKEN_URL = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"  # noqa: S105 — an address
AUDIENCE = "https://api.planet.com/"
ENV_CLIENT_ID, ENV_CLIENT_SECRET = "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"

_TIMEOUT = httpx.Timeout(10, read=30)
_RENEW_BEFORE_S = 60.0  # of its end: a request that is sent now must not arrive too late
_SHORTEST_LIFE_S = 300.0  # assumed where the service does not say


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    renew_at: float


class OAuthM2M(httpx.Auth, Auth):
    """Client credentials of a service account; all requests of a Session, and all its tasks, share one token."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        token_url: str = TOKEN_URL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold the credentials; asks nobody yet.

        Args:
            client_id: of the service account.
            client_secret: of the service account.
            token_url: where tokens are made.
            clock: seconds, ever growing.

        Raises:
            AuthException: one of them is empty.
        """
        if not client_id.strip() or not client_secret.strip():
            raise AuthException(f"OAuth needs a client id and a secret: set {ENV_CLIENT_ID} and {ENV_CLIENT_SECRET}")
        self._id, self._secret = client_id.strip(), client_secret.strip()
        self._token_url, self._clock = token_url, clock
        self._token: _Token | None = None
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id!r}, ***)"

    @classmethod
    def from_environment(cls) -> OAuthM2M | None:
        """Return the credentials of PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET, or None where neither is set."""
        found = os.environ.get(ENV_CLIENT_ID, ""), os.environ.get(ENV_CLIENT_SECRET, "")
        return cls(*found) if any(found) else None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OAuthM2M:
        """Return the credentials that `to_dict` described."""
        return cls(str(data.get("client_id", "")), str(data.get("client_secret", "")))

    def to_dict(self) -> dict[str, str]:
        """Return what `from_dict` needs: it holds the secret."""
        return {"client_id": self._id, "client_secret": self._secret}

    def store(self, filename: str | Path | None = None) -> None:  # noqa: ARG002 — the signature is Auth's
        """Refuse: the secret file holds API keys, and `Auth.from_file` reads nothing else.

        Raises:
            AuthException: always; says where these credentials belong.
        """
        raise AuthException(f"client credentials are not kept in the secret file: set {ENV_CLIENT_ID} and its secret")

    @property
    def value(self) -> str:
        """The client secret."""
        return self._secret

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request with a token; a token that is refused is replaced once."""
        token = await self._current(refused=None)
        request.headers["Authorization"] = f"Bearer {token.text}"
        answer = yield request
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            token = await self._current(refused=token)
            request.headers["Authorization"] = f"Bearer {token.text}"
            yield request

    async def _current(self, refused: _Token | None) -> _Token:
        """Return a token that is good for a while; of many callers at once, one fetches it."""
        turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turn:
            token = self._token
            if token is None or token is refused or self._clock() >= token.renew_at:
                token = self._token = await self._fetch()
            return token

    async def _fetch(self) -> _Token:
        keep_links_out_of_logs()
        asked_at = self._clock()
        form = {
            "grant_type": "client_credentials",
            "client_id": self._id,
            "client_secret": self._secret,
            "audience": AUDIENCE,
        }
        try:
            with typed_errors("POST", self._token_url):
                async with httpx.AsyncClient(timeout=_TIMEOUT, headers=HEADERS) as client:
                    answer = await client.post(self._token_url, data=form)
        except RequestError as error:
            raise self._not_sent(str(error)) from error
        if not answer.is_success:
            self._raise_refusal(answer)
        return _read(answer, asked_at)

    def _raise_refusal(self, answer: httpx.Response) -> None:
        error = error_for(answer.status_code, answer.headers, answer.text)
        if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            raise AuthException(f"the client credentials of {self._id} were refused ({answer.status_code})") from error
        raise self._not_sent(f"the token service answered {answer.status_code}") from error

    def _not_sent(self, why: str) -> RequestError:
        """No token, so the request it was for has not left: whatever it is, it may be sent again."""
        return RequestError(f"no access token: {why}", may_have_reached=False, method="POST", url=self._token_url)


def _read(answer: httpx.Response, asked_at: float) -> _Token:
    try:
        body = answer.json()
        text, life_s = body["access_token"], float(body.get("expires_in") or _SHORTEST_LIFE_S)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AuthException("the token service's answer holds no access token") from error
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise AuthException("the token service's answer holds no readable access token")
    return _Token(text, asked_at + max(life_s / 2, life_s - _RENEW_BEFORE_S))
