"""What comes out of the logs: once, in one form, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from jobs.redaction import HIDDEN, Redactor, hide_password
from worker.logs import configure_logs

JWT = "eyJhbGciOiJIUzUxMiJ9.eyJhcGlfa2V5IjoieCJ9.c2lnbmF0dXJl"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def output() -> io.StringIO:
    """A stream for the logs."""
    return io.StringIO()


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Whatever a test sets up, afterwards everything is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in root.manager.loggerDict:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_where_there_is_no_terminal_an_event_is_a_json_line(output: io.StringIO) -> None:
    configure_logs(stream=output)
    structlog.get_logger("worker").info("order created", attempt=2)
    (line,) = lines(output)
    assert line["event"] == "order created"
    assert (line["attempt"], line["level"], line["logger"]) == (2, "info", "worker")
    assert line["timestamp"].endswith("Z")


def test_on_a_terminal_an_event_is_for_people() -> None:
    terminal = Terminal()
    configure_logs(stream=terminal)
    structlog.get_logger().info("order created", note="one\ntwo")
    assert "order created" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1
    structlog.reset_defaults()


def test_bound_context_is_on_every_line_of_ours_and_of_libraries(output: io.StringIO) -> None:
    configure_logs(stream=output)
    with structlog.contextvars.bound_contextvars(run_id="r1", stage="create"):
        structlog.get_logger().info("ours")
        logging.getLogger("planet_sdk").warning("theirs %s", "too")
    assert [(line["event"], line["run_id"], line["stage"]) for line in lines(output)] == [
        ("ours", "r1", "create"),
        ("theirs too", "r1", "create"),
    ]


def test_no_line_is_doubled_however_often_and_whoever_configured_logs_before(output: io.StringIO) -> None:
    for name in ("arq", "uvicorn.error"):
        logging.getLogger(name).addHandler(logging.StreamHandler(output))
        logging.getLogger(name).propagate = False
    configure_logs(stream=output)
    configure_logs(stream=output)
    for name in ("arq.worker", "uvicorn.error", "planet_sdk.session"):
        logging.getLogger(name).warning("once")
    assert len(lines(output)) == 3


def test_libraries_that_log_every_request_are_quiet(output: io.StringIO) -> None:
    configure_logs(stream=output)
    logging.getLogger("httpx").info("HTTP Request: GET https://host/path?token=abc")
    logging.getLogger("arq.worker").info("job started")
    structlog.get_logger().debug("detail")
    assert output.getvalue() == ""
    configure_logs("DEBUG", stream=output)
    logging.getLogger("httpx").info("HTTP Request: GET https://host/path?token=abc")
    assert lines(output)[0]["event"] == "HTTP Request: GET https://host/path?..."


def test_fields_given_to_the_standard_library_are_kept(output: io.StringIO) -> None:
    configure_logs(stream=output)
    logging.getLogger("planet_sdk").warning("request failed", extra={"status": 503, "password": "x"})
    assert (lines(output)[0]["status"], lines(output)[0]["password"]) == (503, HIDDEN)


def test_warnings_are_logged(output: io.StringIO) -> None:
    configure_logs(stream=output)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines(output)[0]["event"]


def test_no_secret_is_in_an_event_or_a_traceback(output: io.StringIO) -> None:
    configure_logs(stream=output, secrets=["s3cr3t-value"])
    link = "https://user:pw@storage.example/scene.tif?X-Goog-Signature=abcdef"
    log = structlog.get_logger()
    try:
        int(f"GET {link} failed: s3cr3t-value")
    except ValueError:
        log.exception("download failed", headers={"Authorization": "Basic abcdef"}, links=["https://a/b?token=abcdef"])
    text = output.getvalue()
    assert "ValueError" in text
    assert not [secret for secret in ("abcdef", "user:pw", "s3cr3t-value") if secret in text]


def test_anything_can_be_logged(output: io.StringIO) -> None:
    configure_logs(stream=output)
    structlog.get_logger().info("odd", path=io, error=ValueError("x"), data=b"\xff", keys={1, 2}, none=None, text="ü")
    (line,) = lines(output)
    assert (line["error"], line["data"], sorted(line["keys"]), line["none"]) == ("x", "\\xff", [1, 2], None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://host/a/b.tif?token=abc#x, then", "see https://host/a/b.tif?... then"),
        ("redis://:p@ss@host:1/0", f"redis://:{HIDDEN}@host:1/0"),
        ("GET /compute/ops/download/?token=abc HTTP/1.1", f"GET /compute/ops/download/?token={HIDDEN} HTTP/1.1"),
        ("GET /v1/runs?state=done HTTP/1.1", "GET /v1/runs?state=done HTTP/1.1"),
        ("{'authorization': 'Basic QWxhZGRpbjpv'}", f"{{'authorization': '{HIDDEN}'}}"),
        ("Authorization: Basic QWxhZGRpbjpv", f"Authorization: {HIDDEN}"),
        ("authorization=basic QWxhZGRpbjpv", f"authorization={HIDDEN}"),
        ("(b'Authorization', b'Basic QWxhZGRpbjpv')", f"(b'Authorization', b'{HIDDEN}')"),
        ("Authorization: api-key abc", f"Authorization: {HIDDEN}"),
        ("sent Bearer abcdefghijklmnop1", f"sent Bearer {HIDDEN}"),
        (f"login said {JWT}.", f"login said {HIDDEN}."),
        ("key PLAK0123456789abcdef0123456789abcdef", f"key {HIDDEN}"),
        ("POST /webhooks/planet/abc HTTP/1.1", f"POST /webhooks/planet/{HIDDEN} HTTP/1.1"),
        ("a basic analytic bundle", "a basic analytic bundle"),
        ("order 5b7c at https://host/orders/5b7c", "order 5b7c at https://host/orders/5b7c"),
    ],
)
def test_secrets_are_known_by_their_shape(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_secrets_are_known_by_their_name_and_ordinary_names_are_left_alone() -> None:
    event = {"api_key": "k", "PL_API_KEY": "k", "access_token": "k", "password": None, "tokens": 3, "key": "mine"}
    assert Redactor().mapping(event) == {
        "api_key": HIDDEN,
        "PL_API_KEY": HIDDEN,
        "access_token": HIDDEN,
        "password": None,
        "tokens": 3,
        "key": "mine",
    }


def test_short_values_are_not_blanked_out_of_ordinary_words() -> None:
    assert Redactor(["in", "longer-secret"]).text("in the longer-secret") == f"in the {HIDDEN}"


def test_an_address_can_be_shown() -> None:
    assert hide_password("unix:///run/valkey.sock") == "unix:///run/valkey.sock"
    assert hide_password("rediss://me:pw@host/0?ssl_password=pw") == f"rediss://me:{HIDDEN}@host/0?..."
