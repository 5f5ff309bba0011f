"""How a destination is written: one canonical URL for everything a person may type."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobs.errors import DestinationError

__all__ = ["SCHEMES", "destination_url", "local_path"]

SCHEMES = ("file", "s3", "gs", "az", "memory")


def destination_url(destination: str) -> str:
    """The canonical URL of a destination; nothing is opened and nothing is created.

    Args:
        destination: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, `memory://name`,
            `file:///folder`, or the path of a folder, relative to the working directory.

    Raises:
        DestinationError: naming what is wrong with it.
    """
    text = destination.strip()
    if not text or any(ord(character) < 32 for character in text):  # noqa: PLR2004 — the first printable character
        raise DestinationError("a destination must not be empty or hold control characters")
    if "://" not in text:
        if re.match(r"[A-Za-z0-9]{2,}:/", text):
            raise DestinationError(f"{text!r} has one slash after its colon; a URL has two")
        return _folder_url(Path(text))
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        names = ", ".join(f"{each}://" for each in SCHEMES)
        raise DestinationError(f"{scheme}:// is no destination; use a folder or one of {names}")
    try:
        return _folder_url(_file_path(text)) if scheme == "file" else _store_url(scheme, text)
    except ValueError as error:  # urlsplit's word for brackets that hold no address
        raise DestinationError(f"{text!r} is no URL: {error}") from error


def local_path(url: str) -> Path:
    """The folder a canonical `file://` URL means."""
    return Path(unquote(urlsplit(url).path))


def _file_path(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in {"", "localhost"}:
        raise DestinationError(
            f"{text!r} names the host {parts.netloc!r}; an absolute folder has three slashes: file:///"
        )
    if parts.query or parts.fragment:
        raise DestinationError(f"{text!r} holds ? or #; write them as %3F and %23, or give the plain path")
    path = Path(unquote(parts.path))
    if not path.is_absolute():
        raise DestinationError(f"{text!r} names no folder; write file:///folder or a plain path")
    return path


def _folder_url(path: Path) -> str:
    expanded = os.path.expanduser(path)  # noqa: PTH111 — Path.expanduser raises where there is no such home
    return Path(os.path.abspath(expanded)).as_uri()  # noqa: PTH100 — resolve() follows links, absolute() keeps '..'


def _store_url(scheme: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.username or parts.password:
        raise DestinationError(
            f"a {scheme}:// destination holds no credentials; give them by the store's usual environment"
        )
    if parts.query or parts.fragment:
        raise DestinationError(f"a {scheme}:// destination ends with its prefix: no ? and no #")
    if not parts.netloc and scheme != "memory":
        raise DestinationError(
            f"{scheme}:// needs a name: {scheme}://{'container' if scheme == 'az' else 'bucket'}/prefix"
        )
    segments = [segment for segment in parts.path.split("/") if segment]
    if any(segment in {".", ".."} for segment in segments):
        raise DestinationError(f"{text!r} holds '.' or '..'; write the prefix out")
    return "/".join([f"{scheme}://{parts.netloc}", *segments])
