"""The jobs that tell producers of an end: enqueued by the script that ends a run or a batch."""

from __future__ import annotations

from enum import StrEnum

from jobs import codec

FUNCTION = "callback"  # as the workers name it


class Told(StrEnum):
    """What a callback tells of."""

    RUN = "run"
    BATCH = "batch"


def callback_payload(told: Told, about: str, now_ms: int) -> str:
    """arq's payload of the job that calls back: what it tells of, and its id; how that is then is read when it runs."""
    return codec.dumps({"t": None, "f": FUNCTION, "a": [told, about], "k": {}, "et": now_ms}).decode()
