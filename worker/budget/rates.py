"""How many requests Planet allows: burst and sustained limits by kind of request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from planet_sdk.limits import PLANET_RATES, RequestKind


class Limit(NamedTuple):
    """So many requests in any window of this length."""

    requests: int
    period_s: float


Rates = Mapping[RequestKind, tuple[Limit, ...]]

PUBLISHED: Rates = MappingProxyType({kind: (Limit(int(rate), 1.0),) for kind, rate in PLANET_RATES.items()})
"""What Planet publishes; it allows some accounts more."""

_PERIODS_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_LIMIT = re.compile(rf"(\d+)(?:/({'|'.join(_PERIODS_S)}))?")


def read_rates(text: str) -> Rates:
    """The published limits, but for what the text names: `get=10/s+300/min, link=0`; 0 is no limit.

    Raises:
        ValueError: says what cannot be read, and how it is written.
    """
    named = dict(_read_kind(part) for part in re.split(r"[,\s]+", text.strip()) if part)
    return {kind: limits for kind, limits in {**PUBLISHED, **named}.items() if limits}


def _read_kind(text: str) -> tuple[RequestKind, tuple[Limit, ...]]:
    name, equals, limits = text.partition("=")
    known = [kind.value for kind in PUBLISHED]
    if name not in known or not equals:
        raise ValueError(f"{text!r} must be a kind of request and its limits, as get=10/s; kinds: {', '.join(known)}")
    return RequestKind(name), tuple(limit for limit in map(_read_limit, limits.split("+")) if limit.requests)


def _read_limit(text: str) -> Limit:
    if not (found := _LIMIT.fullmatch(text)):
        raise ValueError(f"{text!r} is no limit; write requests and a period, as 10/s, 300/min or 5000/h")
    return Limit(int(found[1]), _PERIODS_S[found[2] or "s"])
