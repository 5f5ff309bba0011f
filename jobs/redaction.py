"""Taking secrets out of what people and machines get to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any

__all__ = ["HIDDEN", "Redactor", "hide_password"]

HIDDEN = "********"

_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:api[_-]?key|authorization|passwd|password|secret|token|cookie|credentials?|signature)s?$",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s@:]*):[^/\s]*@")  # to the last @: a password may hold one
_URL_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s\"'<>?#]*)[?#][^\s\"'<>]*", re.IGNORECASE)
_SIGNED_PARAMETER = re.compile(
    r"([?&](?:[\w-]*(?:token|sig|signature|api_?key|credential|password|secret)|x-(?:goog|amz|ms)-[\w-]+)=)[^&\s\"'<>]+",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(authorization[\"']?\s*[:=,]\s*(?:b?[\"'])?)(?:(?:basic|bearer|api-key)\s+)?[^\s\"',}]+", re.IGNORECASE
)
_SCHEME_TOKEN = re.compile(r"\b(basic|bearer|api-key)\s+[\w+/=.~-]{16,}", re.IGNORECASE)
_KNOWN_TOKEN = re.compile(r"\bPLAK[0-9A-Za-z]{16,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_WEBHOOK_SECRET = re.compile(r"(/webhooks/planet/)[^\s\"'<>/?#]+")
_SIGNS = ("=", "://", "authorization", "basic", "bearer", "api-key", "plak", "eyj", "/webhooks/")  # of all the above
_SECRET_MIN_CHARACTERS = 6  # a shorter one would blank out ordinary words
_SHORT = 40  # characters
_PLAIN = frozenset({NoneType, bool, int, float})


def hide_password(url: str) -> str:
    """The same address, safe to show: no password and no query string."""
    return _URL_QUERY.sub(r"\1?...", _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", url))


class Redactor:
    """Takes secrets out of log events: by name, by shape and by value.

    By name: what stands under `password`, `api_key`, `token` and the like. By shape: passwords and query strings of
    URLs, Authorization headers, Planet keys, JSON web tokens, secrets in webhook paths. By value: the given secrets,
    wherever they turn up.

    Args:
        secrets: values that must never be seen; those under six characters are left to the other two ways.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted({each for each in secrets if len(each) >= _SECRET_MIN_CHARACTERS}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        # Lines of a log have a dozen names each, always the same, and values such as a stage's.
        self._often = lru_cache(maxsize=1024)(self.text)

    def text(self, text: str) -> str:
        """The same text without secrets."""
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        folded = text.casefold()
        if not any(sign in folded for sign in _SIGNS):  # as it is with most: each line of the log comes this way
            return text
        if "://" in text:
            text = hide_password(text)
        text = _SIGNED_PARAMETER.sub(rf"\1{HIDDEN}", text)
        text = _HEADER.sub(rf"\1{HIDDEN}", text)
        text = _SCHEME_TOKEN.sub(rf"\1 {HIDDEN}", text)
        text = _KNOWN_TOKEN.sub(HIDDEN, text)
        return _WEBHOOK_SECRET.sub(rf"\1{HIDDEN}", text)

    def value(self, value: Any) -> Any:
        """The same value without secrets, made of what JSON knows; anything else becomes its text."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self._often(value) if len(value) <= _SHORT else self.text(value)
            case Mapping():
                return self.mapping(value)
            case list() | tuple() | set() | frozenset():
                return [self.value(each) for each in value]
            case bytes():
                return self.text(value.decode(errors="backslashreplace"))
            case _:
                return self.text(str(value))

    def mapping(self, mapping: Mapping[Any, Any]) -> dict[str, Any]:
        """The same mapping without secrets."""
        often = self._often
        return {often(str(name)): self._named(str(name), value) for name, value in mapping.items()}

    def _named(self, name: str, value: Any) -> Any:
        if type(value) in _PLAIN:  # a count of tokens is no secret
            return value
        if _is_secret(name):
            return HIDDEN
        return self._often(value) if type(value) is str and len(value) <= _SHORT else self.value(value)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))
