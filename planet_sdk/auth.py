"""Credentials: an API key from an argument, the environment, the secret file or a login."""

from __future__ import annotations

import abc
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt

from planet_sdk.auth_session import AuthSession
from planet_sdk.exceptions import APIKeyAuthException, AuthException
from planet_sdk.identity import ENV_API_KEY, base_url_or_default
from planet_sdk.models import Response
from planet_sdk.secret_file import read_secrets, store_secrets

if TYPE_CHECKING:
    from planet_sdk.oauth import OAuthM2M

__all__ = ["APIKeyAuth", "APIKeyAuthException", "Auth", "AuthClient", "AuthException", "AuthType", "default_auth"]

AuthType = httpx.Auth


class Auth(abc.ABC):
    """Where credentials come from, and where they are kept."""

    @staticmethod
    def from_key(key: str) -> APIKeyAuth:
        """Return credentials for this API key.

        Raises:
            AuthException: it is empty, or cannot be a key.
        """
        return APIKeyAuth(key)

    @staticmethod
    def from_file(filename: str | Path | None = None) -> APIKeyAuth:
        """Return the credentials of the secret file that `store` wrote.

        Args:
            filename: default `~/.planet.json`.

        Raises:
            AuthException: there is no such file, or no key in it.
        """
        return APIKeyAuth.from_dict(read_secrets(filename))

    @staticmethod
    def from_env(variable_name: str | None = None) -> APIKeyAuth:
        """Return the credentials of an environment variable.

        Args:
            variable_name: default `PL_API_KEY`.

        Raises:
            AuthException: it is not set, or empty, or cannot be a key.
        """
        name = variable_name or ENV_API_KEY
        try:
            return APIKeyAuth(os.environ.get(name, ""))
        except APIKeyAuthException as error:
            raise AuthException(f"the environment variable {name} is not set, or is empty") from error
        except AuthException as error:
            raise AuthException(f"the environment variable {name}: {error}") from error

    @staticmethod
    def from_login(email: str, password: str, base_url: str | None = None) -> APIKeyAuth:
        """Return the credentials of the account; asks Planet, and blocks for that long (40 seconds at most).

        Args:
            email: the account's address.
            password: read it with `getpass`, so that it stays off the screen and out of the history.
            base_url: of the Auth service; default `{PL_API_URL or https://api.planet.com}/v0/auth`.

        Raises:
            APIError: Planet refused the login; the message says why.
            AuthException: Planet's answer holds no API key.
            RequestError: no answer came.
        """
        claims = AuthClient(base_url).login(email, password)
        if not isinstance(key := claims.get("api_key"), str):
            raise AuthException("the login was accepted, but the answer holds no API key; set PL_API_KEY instead")
        return APIKeyAuth(key)

    @staticmethod
    def from_oauth_m2m(client_id: str, client_secret: str) -> OAuthM2M:
        """Return the credentials of a service account: tokens are fetched, shared and renewed as requests need them.

        Args:
            client_id: of the service account.
            client_secret: of the service account.

        Raises:
            AuthException: one of them is empty.
        """
        from planet_sdk.oauth import OAuthM2M  # noqa: PLC0415 — it is an Auth itself

        return OAuthM2M(client_id, client_secret)

    @classmethod
    @abc.abstractmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Auth:
        """Return the credentials that `to_dict` described."""

    @property
    @abc.abstractmethod
    def value(self) -> str:
        """The secret itself."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, str]:
        """Return what `from_dict` needs to make the same credentials: it holds the secret."""

    def store(self, filename: str | Path | None = None) -> None:
        """Write the credentials to the secret file, which only its owner can read; what else is in it stays.

        Args:
            filename: default `~/.planet.json`.

        Raises:
            AuthException: it cannot be written.
        """
        store_secrets(self.to_dict(), filename)

    def write(self, filename: str | Path | None = None) -> None:
        """Do what `store` does; the guide uses both names."""
        self.store(filename)


class AuthClient:
    """Planet's Auth service."""

    def __init__(self, base_url: str | None = None) -> None:
        """Make a client.

        Args:
            base_url: default `{PL_API_URL or https://api.planet.com}/v0/auth`.
        """
        self._base_url = base_url.rstrip("/") if base_url else f"{base_url_or_default(None)}/v0/auth"

    def login(self, email: str, password: str) -> dict[str, Any]:
        """Return what Planet says about the account, `api_key` among it; see `Auth.from_login`."""
        answer = AuthSession().request("POST", f"{self._base_url}/login", {"email": email, "password": password})
        return self.decode_response(answer)

    @staticmethod
    def decode_response(response: Response) -> dict[str, Any]:
        """Return the claims of a login answer's token.

        The signature is not verified: the token came over TLS from the service that made it.

        Raises:
            AuthException: there is no token in the answer, or it cannot be read.
        """
        body = response.json()
        token = body.get("token") if isinstance(body, dict) else None
        try:
            claims: dict[str, Any] = jwt.decode(token or "", options={"verify_signature": False})
        except (jwt.PyJWTError, TypeError) as error:
            raise AuthException(f"the login answer holds no readable token ({type(error).__name__})") from error
        return claims


class APIKeyAuth(httpx.BasicAuth, Auth):
    """An API key, sent as the user name of HTTP Basic."""

    DICT_KEY = "key"

    def __init__(self, key: str) -> None:
        """Hold a key.

        Args:
            key: white space around it, as copying brings along, is dropped.

        Raises:
            APIKeyAuthException: it is empty.
            AuthException: it cannot be a key.
        """
        self._key = _checked(key)
        super().__init__(self._key, "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> APIKeyAuth:
        """Return the credentials that `to_dict` described.

        Raises:
            AuthException: there is no key.
        """
        if cls.DICT_KEY not in data:
            raise AuthException(f"the credentials have no {cls.DICT_KEY!r}; make them with Auth.store()")
        return cls(data[cls.DICT_KEY])

    def to_dict(self) -> dict[str, str]:
        """Return `{"key": ...}`: it holds the secret."""
        return {self.DICT_KEY: self._key}

    @property
    def value(self) -> str:
        """The key itself."""
        return self._key


def default_auth() -> AuthType:
    """Return the credentials of PL_API_KEY, else of PL_AUTH_CLIENT_ID and its secret, else of the secret file.

    Raises:
        AuthException: there are none in any place, or those that are there are broken.
    """
    from planet_sdk.oauth import OAuthM2M  # noqa: PLC0415 — it is an Auth itself

    if os.environ.get(ENV_API_KEY):
        return Auth.from_env()
    if (machine := OAuthM2M.from_environment()) is not None:
        return machine
    try:
        return Auth.from_file()
    except AuthException as error:
        raise AuthException(f"no API key: {ENV_API_KEY} is not set, and {error}") from error


def _checked(key: str | None) -> str:
    if not isinstance(key, str | None):
        raise AuthException(f"the API key is no text, but {type(key).__name__}")
    key = (key or "").strip()
    if not key:
        raise APIKeyAuthException("API key cannot be empty.")
    if not (key.isascii() and key.isprintable()):
        raise AuthException(
            "the API key holds characters that no key has (line breaks, control or non-ASCII characters)"
        )
    return key
