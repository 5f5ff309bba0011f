"""A folder as a destination."""
# ruff: noqa: D102 — the promises of these methods stand once, in contract.py

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jobs.destination.contract import READ_LIMIT_BYTES, Destination, DestinationUnavailable, check_key
from jobs.destination.urls import local_path
from jobs.errors import DestinationError
from planet_sdk.checksum import file_digest
from planet_sdk.exceptions import UnsafeName
from planet_sdk.paths import path_inside

__all__ = ["LocalDestination", "sync_folder"]

_DISK_FULL_OR_AWAY = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
_TOO_BUSY = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}
_OWN = ".planet-orders-"  # probes and marks: none of the orders' files
_PROBE = b"planet-orders writes here\n"


class LocalDestination(Destination):
    """A folder on this machine, or on a disk that is mounted here. All work on it is done in threads."""

    local_dir: Path

    def __init__(self, url: str) -> None:
        self.url = url
        self.local_dir = local_path(url)

    def folder(self, name: str) -> LocalDestination:
        return LocalDestination(self._path(name).as_uri())

    async def check_writable(self) -> None:
        await asyncio.to_thread(self._check_writable)

    async def put_file(self, source: Path, key: str) -> None:
        await asyncio.to_thread(self._put_file, source, key)

    async def stat(self, key: str) -> int | None:
        return await asyncio.to_thread(lambda: self._stat(self._path(key)))

    async def digest(self, key: str, algorithm: str) -> str:
        with self._errors(key):
            return await asyncio.to_thread(lambda: file_digest(self._path(key), algorithm))

    async def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        return await asyncio.to_thread(self._read, key, limit_bytes)

    def open(self, key: str) -> BinaryIO:
        with self._errors(key):
            return self._path(key).open("rb")

    async def list(self, prefix: str = "") -> Mapping[str, int]:
        return await asyncio.to_thread(lambda: self._list(self._path(prefix) if prefix else self.local_dir))

    async def delete(self, key: str) -> None:
        with self._errors(key):
            await asyncio.to_thread(lambda: self._path(key).unlink(missing_ok=True))

    def _path(self, key: str) -> Path:
        try:
            return path_inside(self.local_dir, check_key(key))
        except UnsafeName as error:
            raise DestinationError(f"{key!r} leads out of {self.url} by a link") from error

    def _check_writable(self) -> None:
        with self._errors():
            self.local_dir.mkdir(parents=True, exist_ok=True)
            probe = self.local_dir / f"{_OWN}probe-{secrets.token_hex(8)}"
            try:
                with probe.open("xb") as file:
                    file.write(_PROBE)
                    file.flush()
                    os.fsync(file.fileno())  # a full disk may not say so before
            finally:
                probe.unlink(missing_ok=True)

    def _put_file(self, source: Path, key: str) -> None:
        target = self._path(key)
        beside = target.with_name(f".{secrets.token_hex(8)}.put")
        with self._errors(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with source.open("rb") as reader, beside.open("xb") as writer:
                    shutil.copyfileobj(reader, writer, 1024 * 1024)
                    writer.flush()
                    os.fsync(writer.fileno())
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
            sync_folder(target.parent)

    def _stat(self, path: Path) -> int | None:
        with self._errors(path.name):
            try:
                return path.stat().st_size if path.is_file() else None
            except FileNotFoundError:
                return None

    def _read(self, key: str, limit_bytes: int) -> bytes:
        with self._errors(key), self._path(key).open("rb") as file:
            body = file.read(limit_bytes + 1)
        if len(body) > limit_bytes:
            raise DestinationError(f"{self.url_of(key)} is larger than {limit_bytes:,} bytes")
        return body

    def _list(self, top: Path) -> dict[str, int]:
        found = {}
        with self._errors():
            for folder, _, names in os.walk(top):
                for path in (Path(folder, name) for name in names if not name.startswith(_OWN)):
                    size = self._stat(path)
                    if size is not None:
                        found[path.relative_to(self.local_dir).as_posix()] = size
        return found

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """Turn what the system says into one line that names the place and the reason."""
        try:
            yield
        except OSError as error:
            kind = DestinationUnavailable if error.errno in _DISK_FULL_OR_AWAY | _TOO_BUSY else DestinationError
            place = f"{self.url}/{key}" if key else self.url
            reason = f"{error.strerror} ({error.filename})" if error.filename else error.strerror or str(error)
            raise kind(f"{place} cannot be used: {reason}") from error


def sync_folder(folder: Path) -> None:
    """Make the rename last: without it a power cut can undo it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
