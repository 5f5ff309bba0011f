"""The name of a streamed file, and the plain way to write one (without resuming)."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import os
import random
import re
import secrets
import string
from collections.abc import AsyncIterator, Mapping
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from planet_sdk.exceptions import TransferError, TransferIncomplete

_log = logging.getLogger(__name__)

_PLAIN_NAME = re.compile(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]+))', re.IGNORECASE)
_ALPHABET = string.ascii_letters + string.digits
_MIB = 1024 * 1024


def name_of(url: str, headers: Mapping[str, str]) -> str:
    """Return the file's name as the server gives it: not yet safe to use.

    First the Content-Disposition (`filename*` before `filename`), then the last part of the address's path, then
    `planet-XXXXXXXX` with an extension that fits the content type.
    """
    return _disposition_name(headers.get("content-disposition", "")) or _url_name(url) or _made_up_name(headers)


def _disposition_name(value: str) -> str | None:
    if "*" in value and (name := _extended_name(value)):
        return name
    match = _PLAIN_NAME.search(value)
    if match is None:
        return None
    return re.sub(r"\\([\"\\])", r"\1", match[1]) if match[1] is not None else match[2].strip()


def _extended_name(value: str) -> str | None:
    """Return the name in RFC 8187's form, which the email package reads, and gives as a tuple; else any name."""
    message = Message()
    message["content-disposition"] = value
    given: list[tuple[str, Any]] = message.get_params([], "content-disposition")
    names = [name for key, name in given if key.lower() == "filename"]
    best = max(names, key=lambda name: isinstance(name, tuple), default=None)
    return collapse_rfc2231_value(best) if best else None


def _url_name(url: str) -> str | None:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or None


def _made_up_name(headers: Mapping[str, str]) -> str:
    extension = mimetypes.guess_extension(headers.get("content-type", "").partition(";")[0].strip()) or ""
    letters = "".join(random.choices(_ALPHABET, k=8))  # noqa: S311 — a name to tell files apart, not a secret
    return f"planet-{letters}{extension}"


async def write(
    chunks: AsyncIterator[bytes], size: int | None, path: Path, overwrite: bool, progress_bar: bool
) -> None:
    """Write the chunks to a temporary file beside the path and rename it when all are there.

    Args:
        chunks: the body.
        size: how many bytes it has, or None where that is not known.
        path: the final path.
        overwrite: replace a file that is there; otherwise write nothing.
        progress_bar: show a tqdm bar.
    """
    if not overwrite and await asyncio.to_thread(path.exists):
        _log.info("file exists, left as it is", extra={"path": str(path)})
        return
    try:
        temporary = await asyncio.to_thread(_temporary_beside, path)
        try:
            await _write_all(chunks, size, path, temporary, progress_bar)
            await asyncio.to_thread(os.replace, temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise TransferError(f"{path}: cannot be written ({error.strerror or error})", path) from error


def _temporary_beside(path: Path) -> Path:
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    temporary.touch(exist_ok=False)  # as any new file; tempfile's are private to the owner
    return temporary


async def _write_all(
    chunks: AsyncIterator[bytes], size: int | None, path: Path, temporary: Path, progress_bar: bool
) -> None:
    got = 0
    with (
        temporary.open("wb") as file,
        tqdm(total=size, unit="B", unit_scale=True, unit_divisor=_MIB, desc=str(path), disable=not progress_bar) as bar,
    ):
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)
            got += len(chunk)
            bar.update(len(chunk))
    if size is not None and got != size:
        raise TransferIncomplete(path, got, size)
