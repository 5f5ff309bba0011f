"""A request as people and comparisons see it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

HIDDEN = "(hidden)"

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))  # for numbers that orjson does not write

_SECRET_KEY = re.compile(r"secret|token|passw|credential|access_key|api_?key|authorization|private", re.IGNORECASE)


def canonical(request: Mapping[str, Any]) -> str:
    """The request's JSON: the same text for the same request, whatever the order of its keys."""
    try:
        return orjson.dumps(request, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return _CANONICAL.encode(request)


def fingerprint(canonical_request: str) -> str:
    """By what a request is known again: sha256 of its canonical JSON."""
    return hashlib.sha256(canonical_request.encode()).hexdigest()


def redact_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the request for display: keys, tokens and passwords are hidden, and what follows a webhook's host."""
    return {key: _redacted(key, value) for key, value in request.items()}


def _redacted(key: str, value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _redacted(name, member) for name, member in value.items()}
        case list() | tuple():
            return [_redacted(key, member) for member in value]
        case None | bool():
            return value
        case _ if _SECRET_KEY.search(key):
            return HIDDEN
        case str() if "://" in value:
            return _host_only(value)
        case _:
            return value


def _host_only(url: str) -> str:
    """An address may carry a password before its host, and a secret in its path or query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname or ''}{port}/{HIDDEN}"
