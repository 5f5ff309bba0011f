"""How a producer sees that it was called by its own fleet."""

from __future__ import annotations

import pytest

from jobs.callbacks import sign_callback, verify_callback

BODY, SECRET, AT = b'{"event":"run.ended"}', "a secret of the fleet's own", 1_700_000_000


def verify(header: str, *, body: bytes = BODY, secret: str = SECRET, now_s: float = AT + 10) -> bool:
    return verify_callback(body, header, secret, now_s=now_s)


def test_what_the_fleet_signed_is_genuine() -> None:
    assert verify(sign_callback(BODY, SECRET, AT))


def test_the_scheme_is_the_documented_one() -> None:
    """HMAC-SHA256 of the time, a dot, and the body: printf '1.{}' | openssl dgst -sha256 -hmac key."""
    mac = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    assert sign_callback(b"{}", "key", 1) == f"t=1,v1={mac}"


def test_another_body_secret_or_time_is_not() -> None:
    header = sign_callback(BODY, SECRET, AT)

    assert not verify(header, body=BODY + b" ")
    assert not verify(header, secret="another secret")
    assert not verify(header.replace(f"t={AT}", f"t={AT + 1}"))


def test_a_call_that_is_played_back_later_is_refused() -> None:
    assert not verify(sign_callback(BODY, SECRET, AT), now_s=AT + 301)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=" + 64 * "a", "t=1,v1=" + 63 * "a", "é"])
def test_a_header_that_is_none_is_refused(header: str) -> None:
    assert not verify(header)
