"""How this package introduces itself, and where Planet is."""

from __future__ import annotations

import os

from planet_sdk._version import __version__
from planet_sdk.exceptions import ClientError

ENV_API_KEY = "PL_API_KEY"
ENV_API_URL = "PL_API_URL"
PLANET_BASE_URL = "https://api.planet.com"

HEADERS = {"User-Agent": f"planet-order-worker/{__version__}", "X-Planet-App": "python-sdk"}


def base_url_or_default(base_url: str | None) -> str:
    """Return the address, else that of PL_API_URL, else Planet's production, without a trailing slash.

    Raises:
        ClientError: it is no http or https address.
    """
    url = (base_url or os.environ.get(ENV_API_URL) or PLANET_BASE_URL).strip().rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise ClientError(f"{url!r} is no address to send requests to: it must start with https:// or http://")
    return url
