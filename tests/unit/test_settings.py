"""What is read, from where, and what a person is told about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.settings import Settings
from worker.settings_report import describe_errors, describe_settings, warn_unknown_variables


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory without `.env`, and an environment without settings."""
    for name in [name for name in os.environ if name.startswith(("ORDERS_", "PL_", "REDIS_", "PORT"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def errors_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    return describe_errors(caught.value)


def test_nothing_has_to_be_set(empty_environment: Path) -> None:
    settings = Settings()
    assert settings.api_key is None
    assert settings.api_url == "https://api.planet.com"
    assert settings.redis_url is None
    assert settings.destination == (empty_environment / "orders").as_uri()
    assert settings.data_dir == empty_environment / ".planet-orders"
    assert settings.worker_name


def test_environment_beats_the_env_file_which_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, empty_environment: Path
) -> None:
    (empty_environment / ".env").write_text("ORDERS_SLOTS=4\nORDERS_LEASE_S=30\nPL_API_KEY=from-the-file\nOTHER=1\n")
    monkeypatch.setenv("ORDERS_SLOTS", "8")
    settings = Settings()
    assert (settings.slots, settings.lease_s, settings.stage_tries) == (8, 30, 25)
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "from-the-file"
    origins = {line.variable: line.origin for line in describe_settings(settings)}
    assert origins["ORDERS_SLOTS"] == "environment (ORDERS_SLOTS)"
    assert origins["ORDERS_LEASE_S"] == ".env (ORDERS_LEASE_S)"
    assert origins["PL_API_KEY"] == ".env (PL_API_KEY)"
    assert origins["ORDERS_STAGE_TRIES"] == "default"


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "PL_API_KEY", "ORDERS_SLOTS", "PORT"):
        monkeypatch.setenv(name, "")
    settings = Settings()
    assert (settings.redis_url, settings.api_key, settings.slots, settings.web_port) == (None, None, 32, 8000)


def test_the_web_port_may_come_from_a_procfile_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "5100")
    assert Settings().web_port == 5100
    monkeypatch.setenv("ORDERS_WEB_PORT", "9000")
    assert Settings().web_port == 9000


def test_a_worker_is_named_after_its_host_and_its_place_in_the_procfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HONCHO_PROCESS_NAME", "worker.2")
    assert Settings().worker_name.endswith("-worker.2")


def test_a_program_may_give_settings_by_name() -> None:
    assert Settings(slots=3, redis_url="redis://host/1").slots == 3


@pytest.mark.parametrize("url", ["https://api.example.com/", "http://localhost:8900", "http://[::1]:80/base/"])
def test_api_urls_lose_their_trailing_slash(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PL_API_URL", url)
    assert Settings().api_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:p%40ss@host:6380/2",
        "rediss://user:pass@host/0?ssl_cert_reqs=none",
        "unix:///run/valkey.sock?db=1",
        "redis://[::1]:6379",
    ],
)
def test_redis_urls_of_every_form_are_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert Settings().redis_url == url


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("ORDERS_SLOTS", "0", "ORDERS_SLOTS: must be at least 1, not 0"),
        ("ORDERS_SLOTS", "many", "ORDERS_SLOTS: must be a whole number, not 'many'"),
        ("ORDERS_LEASE_S", "1", "ORDERS_LEASE_S: must be at least 2, not 1"),
        ("ORDERS_RETRY_BASE_S", "nan", "ORDERS_RETRY_BASE_S: must be a finite number, not 'nan'"),
        ("ORDERS_RETENTION_DAYS", "9999", "ORDERS_RETENTION_DAYS: must be at most 3650, not 9999"),
        ("ORDERS_LOG_FORMAT", "xml", "ORDERS_LOG_FORMAT: must be one of 'auto', 'json' or 'console', not 'xml'"),
        (
            "PL_API_URL",
            "api.planet.com",
            "PL_API_URL: must be an http:// or https:// address, such as https://api.planet.com",
        ),
        ("REDIS_URL", "localhost:6379", "REDIS_URL: must start with redis://, rediss:// or unix://"),
        ("REDIS_URL", "redis://host/jobs", "REDIS_URL: must end in a database number, such as redis://host:6379/0"),
        (
            "REDIS_URL",
            "redis://host:port",
            "REDIS_URL: cannot be read; a password's special characters are written as %40 (@), %2F (/)",
        ),
        (
            "ORDERS_DESTINATION",
            "s3:/bucket",
            "ORDERS_DESTINATION: 's3:/bucket' has one slash after its colon; a URL has two",
        ),
        ("REDIS_URL", "redis://host?decode=1", "REDIS_URL: has an option after its ? that redis-py does not know"),
        ("ORDERS_QUEUE_NAME", "a b", "ORDERS_QUEUE_NAME: may hold letters, digits and . : - _ only"),
        ("ORDERS_WEBHOOK_SECRET", "too short", "ORDERS_WEBHOOK_SECRET: must be 16 to 200 letters, digits, - or _"),
        ("ORDERS_WEBHOOK_SECRET", f"{'a' * 16}/x", "ORDERS_WEBHOOK_SECRET: must be 16 to 200 letters, digits, - or _"),
        ("PORT", "99999", "ORDERS_WEB_PORT: must be at most 65535, not 99999"),
    ],
)
def test_an_error_is_one_line_that_names_the_variable_and_what_it_must_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    assert errors_of(monkeypatch, **{variable: value}) == [line]


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(errors_of(monkeypatch, ORDERS_SLOTS="0", ORDERS_LEASE_S="x", PL_API_URL="ftp://host")) == 3


def test_bounds_that_contradict_each_other_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = errors_of(monkeypatch, ORDERS_WAIT_CHECK_MIN_S="60", ORDERS_WAIT_CHECK_MAX_S="30")
    assert lines == ["ORDERS_WAIT_CHECK_MIN_S must not exceed ORDERS_WAIT_CHECK_MAX_S"]


def test_a_public_address_needs_a_secret_and_the_error_brings_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = errors_of(monkeypatch, ORDERS_PUBLIC_URL="https://orders.example.com")
    told, _, secret = line.rpartition("ORDERS_WEBHOOK_SECRET=")

    assert told.startswith("ORDERS_PUBLIC_URL needs ORDERS_WEBHOOK_SECRET")
    monkeypatch.setenv("ORDERS_WEBHOOK_SECRET", secret)
    assert Settings().webhook_url == f"https://orders.example.com/webhooks/planet/{secret}"
    assert secret not in repr(Settings())
    assert secret not in str(describe_settings(Settings()))


def test_without_a_public_address_planet_is_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_WEBHOOK_SECRET", "a-secret-of-16-at-least")
    assert Settings().webhook_url is None


def test_an_error_about_redis_does_not_repeat_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter22" not in str(errors_of(monkeypatch, REDIS_URL="redis://:hunter22@host/x"))
    assert "hunter22" not in str(errors_of(monkeypatch, REDIS_URL="redis://me:hunter22/3@host"))


def test_what_is_printed_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_API_KEY", "PLAKsecret")
    monkeypatch.setenv("REDIS_URL", "rediss://me:hunter22@host:6379/0?ssl_password=hunter22")
    settings = Settings()
    shown = {line.variable: line.value for line in describe_settings(settings)}
    assert shown["PL_API_KEY"] == "********"
    assert shown["REDIS_URL"] == "rediss://me:********@host:6379/0?..."
    assert not {"PLAKsecret", "hunter22"} & set(repr(settings).replace("'", " ").split())
    assert "hunter22" not in repr(settings)


def test_every_setting_is_printed_once_and_explained() -> None:
    lines = describe_settings(Settings())
    assert len({line.variable for line in lines}) == len(lines) == len(Settings.model_fields)
    assert [line.variable for line in lines if not line.description] == []


def test_a_mistyped_variable_is_pointed_out(monkeypatch: pytest.MonkeyPatch, empty_environment: Path) -> None:
    monkeypatch.setenv("ORDERS_SLOT", "4")
    (empty_environment / ".env").write_text("ORDERS_LEASE=30\nORDERS_SLOTS=4\nUNRELATED=1\n")
    assert warn_unknown_variables() == [
        "ORDERS_LEASE is not a setting and has no effect; did you mean ORDERS_LEASE_S?",
        "ORDERS_SLOT is not a setting and has no effect; did you mean ORDERS_SLOTS?",
    ]
    assert warn_unknown_variables({"ORDERS_SLOT": "4"}, also_known=["ORDERS_SLOT", "ORDERS_LEASE"]) == []
