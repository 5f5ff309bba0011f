"""The names that are public in `planet` 2.14's module of this name."""

from __future__ import annotations

from pathlib import Path

from planet_sdk.identity import ENV_API_KEY, PLANET_BASE_URL
from planet_sdk.secret_file import DEFAULT_PATH

__all__ = ["DATA_DIR", "ENV_API_KEY", "PLANET_BASE_URL", "SECRET_FILE_PATH"]

DATA_DIR = Path(__file__).parent / "data"
SECRET_FILE_PATH = DEFAULT_PATH.expanduser()
