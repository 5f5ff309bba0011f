from __future__ import annotations

import pytest

from planet_sdk.limits import RequestKind
from worker.budget import PUBLISHED, Limit, read_rates


def test_without_a_word_they_are_the_published_ones() -> None:
    assert read_rates("") == PUBLISHED
    assert PUBLISHED[RequestKind.CREATE] == (Limit(3, 1.0),)


def test_burst_and_sustained_limits_are_read() -> None:
    rates = read_rates("get=10/s+300/min, link=20 create=5000/h")

    assert rates[RequestKind.GET] == (Limit(10, 1.0), Limit(300, 60.0))
    assert rates[RequestKind.LINK] == (Limit(20, 1.0),)
    assert rates[RequestKind.CREATE] == (Limit(5000, 3600.0),)
    assert rates[RequestKind.LIST] == PUBLISHED[RequestKind.LIST]


def test_zero_is_no_limit() -> None:
    assert RequestKind.SPEC not in read_rates("spec=0")


@pytest.mark.parametrize("text", ["get", "get=fast", "get=10/day", "get=-1", "body=3", "gets=3", "=3", "get=1.5"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.rpartition("=")[2] or text):
        read_rates(text)
