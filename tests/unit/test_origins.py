"""Whom the fleet may call, as settings name them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from planet_sdk.trust import Origin
from worker.origins import read_origins
from worker.settings import Settings


def test_hosts_are_named_with_or_without_scheme_and_port() -> None:
    assert read_origins("hooks.example.com, http://10.0.0.5:8080 https://[::1]:444/") == {
        Origin("https", "hooks.example.com", 443),
        Origin("http", "10.0.0.5", 8080),
        Origin("https", "::1", 444),
    }
    assert read_origins("") == frozenset()


@pytest.mark.parametrize(
    "text",
    ["*.example.com", "ftp://example.com", "https://example.com/path", "https://me@example.com", "https://"],
)
def test_what_is_no_plain_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        read_origins(text)


def test_hosts_without_a_secret_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_CALLBACK_HOSTS", "hooks.example.com")
    with pytest.raises(ValidationError, match="ORDERS_CALLBACK_SECRET"):
        Settings()
