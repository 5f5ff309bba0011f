from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from planet_sdk.auth import APIKeyAuth, Auth
from planet_sdk.exceptions import APIKeyAuthException, AuthException, PlanetError

KEY = "PLAK123"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_the_user_name_of_basic_authentication_and_never_shows() -> None:
    auth = Auth.from_key(f"  {KEY}\n")
    request = next(auth.auth_flow(httpx.Request("GET", "https://planet.example")))

    assert request.headers["Authorization"] == "Basic UExBSzEyMzo="
    assert (auth.value, auth.to_dict()) == (KEY, {"key": KEY})
    assert KEY not in repr(auth)
    assert isinstance(auth, Auth)
    assert isinstance(auth, httpx.BasicAuth)


@pytest.mark.parametrize("key", ["", "  \n"])
def test_an_empty_key_is_refused(key: str) -> None:
    with pytest.raises(APIKeyAuthException) as caught:
        Auth.from_key(key)
    assert isinstance(caught.value, PlanetError)


@pytest.mark.parametrize("key", ["a\nb", "a\0b", "a\x7fb", "a\u200bb", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(AuthException) as caught:
        Auth.from_key(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("key", [5, True, b"PLAK", ["PLAK"]])
def test_a_key_that_is_no_text_is_refused_without_being_shown(key: Any) -> None:
    """Written as text it would be sent, and every request would be refused for a reason that is hard to find."""
    with pytest.raises(AuthException, match="is no text") as caught:
        APIKeyAuth.from_dict({"key": key})
    assert "PLAK" not in str(caught.value)


def test_the_environment_gives_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_API_KEY", KEY)
    monkeypatch.setenv("OTHER", "other")

    assert Auth.from_env().value == KEY
    assert Auth.from_env("OTHER").value == "other"
    with pytest.raises(AuthException, match="variable MISSING is not set"):
        Auth.from_env("MISSING")


def test_a_stored_key_is_read_again_and_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    Auth.from_key(KEY).store()

    assert Auth.from_file().value == KEY
    assert mode(tmp_path / ".planet.json") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".planet.json"]


def test_storing_keeps_what_else_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text('{"other": 1, "key": "old"}')

    Auth.from_key(KEY).write(path)

    assert json.loads(path.read_text()) == {"other": 1, "key": KEY}


def test_storing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")

    Auth.from_key(KEY).store(tmp_path / "link.json")

    assert (tmp_path / "link.json").is_symlink()
    assert Auth.from_file(tmp_path / "real.json").value == KEY


def test_a_file_open_to_others_is_closed_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"key": KEY}))
    path.chmod(0o644)

    with caplog.at_level(logging.WARNING):
        Auth.from_file(path)

    assert mode(path) == 0o600
    assert caplog.messages == ["secret file was open to others"]


@pytest.mark.parametrize("content", [None, "", "no json", "[]", "{}", '{"key": ""}'])
def test_a_file_without_a_key_is_an_auth_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(AuthException):
        Auth.from_file(path)


def test_a_broken_file_is_replaced_when_a_key_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_text("no json")

    Auth.from_key(KEY).store(path)

    assert Auth.from_file(path).value == KEY


def test_a_file_that_cannot_be_written_is_an_auth_error(tmp_path: Path) -> None:
    with pytest.raises(AuthException, match="cannot be written"):
        Auth.from_key(KEY).store(tmp_path / "missing" / "secrets.json")


def test_credentials_survive_the_way_through_a_dict() -> None:
    assert APIKeyAuth.from_dict(Auth.from_key(KEY).to_dict()).value == KEY
