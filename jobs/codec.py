"""How jobs and results are written: versioned JSON, nothing pickled.

arq hands its serializer a dict of short keys (t, f, a, k, et for a job; also s, r, st, ft, q, id for a result). The
version is one more key, `v`, which arq ignores. Pass both functions to every pool and every worker.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

VERSION = 1
_EXCEPTION = "__exception__"


class PayloadError(ValueError):
    """The bytes are not a payload of a version that is known here."""


def dumps(payload: dict[str, Any]) -> bytes:
    """Write a job or a result as JSON."""
    return json.dumps({"v": VERSION, **payload}, default=_encode, separators=(",", ":")).encode()


def loads(data: bytes) -> dict[str, Any]:
    """Read a job or a result.

    Raises:
        PayloadError: not JSON (a pickle, say, which is never opened), not an object, or of an unknown version.
    """
    if not data.lstrip().startswith(b"{"):
        raise PayloadError("the payload is not a JSON object; enqueue with jobs.codec.dumps as the serializer")
    try:
        payload = json.loads(data, object_hook=_decode)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise PayloadError("the payload is not a JSON object")
    if payload.get("v", VERSION) != VERSION:
        raise PayloadError(f"the payload has version {payload['v']!r}; this worker knows version {VERSION}")
    return payload


def _encode(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {_EXCEPTION: type(value).__name__, "message": str(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _decode(mapping: dict[str, Any]) -> Any:
    """Rebuild an exception as one of few known kinds: arq's abort() needs its CancelledError back."""
    if _EXCEPTION not in mapping:
        return mapping
    if mapping[_EXCEPTION] == "CancelledError":
        return asyncio.CancelledError(mapping.get("message", ""))
    return RuntimeError(f"{mapping[_EXCEPTION]}: {mapping.get('message', '')}")
