"""The secret file: JSON that only its owner can read."""

from __future__ import annotations

import json
import logging
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planet_sdk.exceptions import AuthException

_log = logging.getLogger(__name__)

DEFAULT_PATH = Path("~/.planet.json")
MODE = stat.S_IRUSR | stat.S_IWUSR


def read_secrets(filename: str | Path | None = None) -> dict[str, Any]:
    """Return what the secret file holds, after closing it to others.

    Args:
        filename: default `~/.planet.json`.

    Raises:
        AuthException: it is missing, unreadable, or not a JSON object.
    """
    path = _path(filename)
    try:
        _close_to_others(path)
        secrets = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise AuthException(
            f"the secret file {path} does not exist; make it with Auth.from_login(...).store()"
        ) from error
    except OSError as error:
        raise AuthException(f"the secret file {path} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise AuthException(f"the secret file {path} is not JSON; make it anew with Auth.store()") from error
    if not isinstance(secrets, dict):
        raise AuthException(f"the secret file {path} is not a JSON object; make it anew with Auth.store()")
    return secrets


def store_secrets(secrets: Mapping[str, Any], filename: str | Path | None = None) -> None:
    """Add the secrets to the file, or make it; a crash leaves the old file or the new one, and nobody else can read it.

    Args:
        secrets: replace those of the same name; the file's others stay.
        filename: default `~/.planet.json`.

    Raises:
        AuthException: the file cannot be written.
    """
    path = _path(filename)
    merged = {**_readable_secrets(path), **secrets}
    try:
        _replace(path.resolve(), json.dumps(merged).encode())  # resolve: a link to the file stays a link
    except OSError as error:
        raise AuthException(f"the secret file {path} cannot be written ({error.strerror or error})") from error


def _path(filename: str | Path | None) -> Path:
    try:
        return Path(filename or DEFAULT_PATH).expanduser()
    except RuntimeError as error:
        raise AuthException(f"no secret file: {error}; name one, or set PL_API_KEY") from error


def _readable_secrets(path: Path) -> dict[str, Any]:
    """As `planet` 2.14: what cannot be read as secrets is replaced."""
    try:
        return read_secrets(path)
    except AuthException:
        return {}


def _replace(path: Path, body: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _close_to_others(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode == MODE:
        return
    if mode & ~MODE:
        _log.warning("secret file was open to others", extra={"path": str(path), "mode": f"{mode:04o}"})
    try:
        path.chmod(MODE)
    except OSError:  # a mounted secret: not ours to change, but ours to read
        _log.warning("secret file mode could not be changed", extra={"path": str(path), "mode": f"{mode:04o}"})
