"""Telling producers of an end: what the fleet sends, and how a producer sees that the fleet has sent it."""

from __future__ import annotations

import hmac
import re
from enum import StrEnum
from hashlib import sha256
from time import time

from jobs import codec

FUNCTION = "callback"  # as the workers name it
SIGNATURE_HEADER = "Orders-Signature"

_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


class Told(StrEnum):
    """What a callback tells of."""

    RUN = "run"
    BATCH = "batch"


def callback_payload(told: Told, about: str, now_ms: int) -> str:
    """arq's payload of the job that calls back: what it tells of, and its id; how that is then is read when it runs."""
    return codec.dumps({"t": None, "f": FUNCTION, "a": [told, about], "k": {}, "et": now_ms}).decode()


def sign_callback(body: bytes, secret: str, at_s: int) -> str:
    """The header with which a body is sent: the time, and HMAC-SHA256 of time, a dot, and body."""
    return f"t={at_s},v1={_mac(body, secret, str(at_s))}"


def verify_callback(
    body: bytes, header: str, secret: str, *, tolerance_s: float = 300, now_s: float | None = None
) -> bool:
    """Tell whether a fleet with this secret has sent this body, and lately.

    Each try of a callback is signed anew. It may come more than once all the same: know it by its `id`.

    Arguments:
        body: of the request, byte by byte as it came.
        header: `Orders-Signature`; an empty text where there is none.
        secret: the fleet's `ORDERS_CALLBACK_SECRET`.
        tolerance_s: how much this machine's clock may differ from the worker's.
        now_s: seconds since 1970; default: this moment.
    """
    match = _SIGNATURE.fullmatch(header)
    if match is None:
        return False
    is_genuine = hmac.compare_digest(_mac(body, secret, match[1]), match[2])
    return is_genuine and abs((time() if now_s is None else now_s) - int(match[1])) <= tolerance_s


def _mac(body: bytes, secret: str, at_s: str) -> str:
    return hmac.new(secret.encode(), at_s.encode() + b"." + body, sha256).hexdigest()
