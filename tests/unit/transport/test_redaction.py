from __future__ import annotations

import logging

import httpx
import pytest

from planet_sdk.redaction import keep_links_out_of_logs, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://planet.example/a/b?token=x#y", "https://planet.example/a/b"),
        ("https://user:word@planet.example:8443/a", "https://planet.example:8443/a"),
        ("http://[::1", "(an address that cannot be read)"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "httpcore.connection", "httpcore.proxy"])
def test_the_http_libraries_log_addresses_without_their_secrets(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger=name)  # whatever an earlier test has set
    keep_links_out_of_logs()
    keep_links_out_of_logs()
    url = httpx.URL("https://storage.example/a.tif?X-Goog-Signature=secret&b=c")

    logging.getLogger(name).info("HTTP Request: %s %s", "GET", url)
    logging.getLogger(name).debug("headers=[(b'Location', b'/b?token=secret'), (b'Via', b'http://me:secret@proxy/')]")

    assert caplog.messages == [
        "HTTP Request: GET https://storage.example/a.tif?...",
        "headers=[(b'Location', b'/b?...'), (b'Via', b'http://proxy/')]",
    ]
