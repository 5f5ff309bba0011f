"""Whom the fleet may call, as settings name them."""

from __future__ import annotations

import re

from planet_sdk.exceptions import ClientError
from planet_sdk.trust import Origin


def read_origins(text: str) -> frozenset[Origin]:
    """The origins that the text names, with commas: `hooks.example.com, http://10.0.0.5:8080`; without a scheme, https.

    Raises:
        ValueError: says which cannot be read, and how it is written.
    """
    return frozenset(_read_origin(part) for part in re.split(r"[,\s]+", text.strip()) if part)


def _read_origin(part: str) -> Origin:
    url = part if "://" in part else f"https://{part}"
    try:
        origin = Origin.of(url)
    except ClientError as error:
        raise ValueError(f"{part!r} is no host; write hooks.example.com or http://10.0.0.5:8080") from error
    plain = re.fullmatch(r"https?://(?:[^\s/?#@*:\[\]]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?/?", url)
    if not plain or not origin.host:
        raise ValueError(f"{part!r} is no host; write hooks.example.com or http://10.0.0.5:8080: no path, no wildcard")
    return origin
