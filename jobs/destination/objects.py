"""An object store prefix as a destination, through obstore."""
# ruff: noqa: D102 — the promises of these methods stand once, in contract.py

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore, from_url

from jobs.destination.contract import READ_LIMIT_BYTES, Destination, DestinationUnavailable, check_key
from jobs.errors import DestinationError

__all__ = ["ObjectDestination"]

_PART_BYTES = 8 * 1024 * 1024
_PARTS_MAX = 9_000  # S3 takes 10,000 parts; larger files get larger parts
_PARTS_AT_ONCE = 2  # per file: several files go up side by side, and each part in flight is held in memory
_PIECE_BYTES = 4 * 1024 * 1024
_READ_AHEAD_BYTES = 256 * 1024  # of a file that is read from anywhere: the directory of a GeoTIFF fits in
_CLIENT_DEFAULTS = {
    "connect_timeout": "10s",
    "read_timeout": "60s",  # a stalled body
    "timeout": "1h",  # a whole request, however slow the line: obstore's 30 s would cut off large files
}
# What a store's environment may say about its client: obstore reads it too, but forgets it when given any options.
_CLIENT_VARIABLES = (
    *("allow_http", "allow_invalid_certificates", "connect_timeout", "proxy_ca_certificate", "proxy_excludes"),
    *("proxy_url", "read_timeout", "root_certificate", "timeout", "user_agent"),
)
_VARIABLE_PREFIXES = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
_open_store: Any = from_url  # its overloads take each store's options apart; here they are only passed on
_RETRY: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}


class ObjectDestination(Destination):
    """A prefix in S3, Google Cloud Storage, Azure Blob Storage or memory.

    Credentials, region and endpoint come from the store's usual environment (`AWS_...`, `GOOGLE_...`, `AZURE_...`) and
    from the machine's role. `memory://name` is shared by everything in this process, and gone with it.

    Args:
        url: canonical.
        options: obstore's configuration for the store, over what the environment says.

    Raises:
        DestinationError: the configuration is incomplete or contradictory.
    """

    local_dir: None

    def __init__(self, url: str, **options: Any) -> None:
        self.url, self.local_dir = url, None
        self._options = options
        if urlsplit(url).scheme == "memory":
            parts = urlsplit(url)
            self._store: Any = _memory_store(parts.netloc)
            self._prefix = parts.path.lstrip("/")
        else:
            if url.startswith("s3://"):  # files are removed one by one here, and not every S3 takes a list of them
                self._options = {"disable_bulk_delete": True, **options}
            self._prefix = ""
            with self._errors():
                client: Any = _CLIENT_DEFAULTS | _read_client_options(urlsplit(url).scheme)
                self._store = _open_store(url, client_options=client, retry_config=_RETRY, config=self._options)

    def folder(self, name: str) -> ObjectDestination:
        return ObjectDestination(f"{self.url}/{check_key(name)}", **self._options)

    async def check_writable(self) -> None:
        probe = self._path(f".planet-orders-probe-{secrets.token_hex(8)}")
        await self._put(probe, b"planet-orders writes here\n")
        with self._errors():
            await obstore.delete_async(self._store, probe)

    async def put_file(self, source: Path, key: str) -> None:
        path = self._path(key)
        try:
            size_bytes = (await asyncio.to_thread(source.stat)).st_size
        except OSError as error:
            raise DestinationError(f"{source} cannot be read: {error.strerror}") from error
        await self._put(path, source, key, chunk_size=max(_PART_BYTES, size_bytes // _PARTS_MAX + 1))

    async def _put(self, path: str, content: bytes | Path, key: str = "", *, chunk_size: int = _PART_BYTES) -> None:
        with self._errors(key):
            try:
                await obstore.put_async(
                    self._store, path, content, chunk_size=chunk_size, max_concurrency=_PARTS_AT_ONCE
                )
            except FileNotFoundError as error:  # what is missing when writing is the place to write to
                raise DestinationError(f"{self.url} cannot be used: there is no such bucket or container") from error

    async def stat(self, key: str) -> int | None:
        path = self._path(key)
        with self._errors(key):
            try:
                return int((await obstore.head_async(self._store, path))["size"])
            except FileNotFoundError:
                return None

    async def digest(self, key: str, algorithm: str) -> str:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        path = self._path(key)
        with self._errors(key):
            answer = await obstore.get_async(self._store, path)
            async for piece in answer.stream(min_chunk_size=_PIECE_BYTES):
                await asyncio.to_thread(digest.update, piece)
        return digest.hexdigest()

    async def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        path = self._path(key)
        with self._errors(key):
            answer = await obstore.get_async(self._store, path)
            if answer.meta["size"] > limit_bytes:
                raise DestinationError(f"{self.url_of(key)} is larger than {limit_bytes:,} bytes")
            return bytes(await answer.bytes_async())

    def open(self, key: str) -> BinaryIO:
        path = self._path(key)
        with self._errors(key):
            size_bytes = int(obstore.head(self._store, path)["size"])
        reader = _RangeReader(lambda start, end: self._read_range(path, key, start, end), size_bytes)
        return io.BufferedReader(reader, _READ_AHEAD_BYTES)

    def _read_range(self, path: str, key: str, start: int, end: int) -> bytes:
        with self._errors(key):
            return bytes(obstore.get_range(self._store, path, start=start, end=end))

    async def list(self, prefix: str = "") -> Mapping[str, int]:
        top = self._path(prefix) if prefix else self._prefix
        found = {}
        with self._errors():
            async for page in obstore.list(self._store, prefix=top or None):
                for entry in page:
                    found[entry["path"].removeprefix(f"{self._prefix}/" if self._prefix else "")] = entry["size"]
        return found

    async def delete(self, key: str) -> None:
        path = self._path(key)
        with self._errors(key):
            try:
                await obstore.delete_async(self._store, path)
            except FileNotFoundError:
                return

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{check_key(key)}" if self._prefix else check_key(key)

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """Turn what obstore says into one line that names the place and the reason."""
        place = f"{self.url}/{key}" if key else self.url
        try:
            yield
        except FileNotFoundError as error:
            raise DestinationError(f"{place} does not exist") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise DestinationError(
                f"{place} cannot be used: the store refused the credentials or the access"
            ) from error
        except GenericError as error:
            raise DestinationUnavailable(f"{place} cannot be used: {_first_line(error)}") from error
        except (BaseError, OSError, ValueError, TypeError) as error:
            raise DestinationError(f"{place} cannot be used: {_first_line(error)}") from error


class _RangeReader(io.RawIOBase):
    """A file of which any piece can be asked for."""

    def __init__(self, read_range: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read_range, self._size_bytes, self._at = read_range, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size_bytes)
        if end <= self._at:
            return 0
        piece = self._read_range(self._at, end)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _read_client_options(scheme: str) -> dict[str, str]:
    given = {name: os.environ.get(_VARIABLE_PREFIXES[scheme] + name.upper(), "") for name in _CLIENT_VARIABLES}
    return {name: value for name, value in given.items() if value}


@cache
def _memory_store(_name: str) -> Any:
    return MemoryStore()


def _first_line(error: Exception) -> str:
    """What obstore says, without the dump of its insides."""
    return str(error).partition("\n")[0].strip() or type(error).__name__
