"""Where the browser is; apart, so that a run of other tests need not load what drives it."""

from __future__ import annotations

import os
import shutil

NO_CHROMIUM = "there is no Chromium: `apt-get install chromium`, or name one in PLAYWRIGHT_CHROMIUM"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The program to start: PLAYWRIGHT_CHROMIUM, or what is on the PATH."""
    named = os.environ.get("PLAYWRIGHT_CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
