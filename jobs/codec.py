"""How jobs and results are written: versioned JSON, nothing pickled.

arq hands its serializer a dict of short keys (t, f, a, k, et for a job; also s, r, st, ft, q, id for a result). The
version is one more key, `v`, which arq ignores. Pass both functions to every pool and every worker.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jobs.json_text import to_json

VERSION = 1
_EXCEPTION = "__exception__"


_MAX_MS = 253_402_300_799_000  # the end of the year 9999, beyond which there is no datetime


class PayloadError(ValueError):
    """The bytes are not a payload of a version that is known here."""


class NewerPayload(PayloadError):
    """The payload was written by a newer version, whose workers can read it."""


def dumps(payload: dict[str, Any]) -> bytes:
    """Write a job or a result as JSON."""
    return _ENCODER.encode({"v": VERSION, **payload}).encode()


def dumps_quickly(payload: dict[str, Any]) -> bytes:
    """The same for a payload of texts and whole numbers alone, as those of stages are."""
    return to_json({"v": VERSION, **payload}).encode()


def loads(data: bytes) -> dict[str, Any]:
    """Read a job or a result.

    Raises:
        PayloadError: not JSON (a pickle, say, which is never opened), of an unknown version (NewerPayload), or without
            what arq needs to run it.
    """
    if not data.lstrip().startswith(b"{"):
        raise PayloadError("the payload is not a JSON object; enqueue with jobs.codec.dumps as the serializer")
    try:
        payload = json.loads(data, object_hook=_decode)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"the payload is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise PayloadError("the payload is not a JSON object")
    version = payload.get("v", VERSION)
    if version != VERSION:
        is_newer = isinstance(version, int) and version > VERSION
        kind = NewerPayload if is_newer else PayloadError
        raise kind(f"the payload has version {version!r:.40}; this worker knows version {VERSION}")
    _check_fields(payload)
    return payload


def _check_fields(payload: dict[str, Any]) -> None:
    """Refuse what arq would stumble over before it has called the function."""
    function, args, kwargs = payload.get("f"), payload.get("a"), payload.get("k")
    job_try, enqueued_ms = payload.get("t"), payload.get("et")
    wrong = {
        "f": not isinstance(function, str),
        "a": not isinstance(args, list),
        "k": not isinstance(kwargs, dict),
        "t": job_try is not None and not _is_count(job_try, 10**9),
        "et": not _is_count(enqueued_ms, _MAX_MS),
    }
    if fields := [name for name, is_wrong in wrong.items() if is_wrong]:
        raise PayloadError(f"the payload is no job: {', '.join(fields)} missing or of the wrong kind")


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _encode(value: Any) -> Any:
    if isinstance(value, BaseException):
        return {_EXCEPTION: type(value).__name__, "message": str(value)}
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


_ENCODER = json.JSONEncoder(default=_encode, separators=(",", ":"))


def _decode(mapping: dict[str, Any]) -> Any:
    """Rebuild an exception as one of few known kinds: arq's abort() needs its CancelledError back."""
    if _EXCEPTION not in mapping:
        return mapping
    if mapping[_EXCEPTION] == "CancelledError":
        return asyncio.CancelledError(mapping.get("message", ""))
    return RuntimeError(f"{mapping[_EXCEPTION]}: {mapping.get('message', '')}")
