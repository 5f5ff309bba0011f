"""What every destination can do, wherever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from jobs.errors import DestinationError
from planet_sdk.exceptions import UnsafeName
from planet_sdk.paths import safe_relative_path

__all__ = ["READ_LIMIT_BYTES", "Destination", "DestinationUnavailable", "DiskAway", "check_key"]

READ_LIMIT_BYTES = 64 * 1024 * 1024  # manifests and metadata; a manifest of 500 items is below 1 MiB


class DestinationUnavailable(DestinationError):
    """The destination cannot be used at the moment (network, full disk): the same call may work later."""


class DiskAway(DestinationUnavailable):
    """The folder is there, and the disk that belongs into it is not: whoever wrote now would fill another one."""


class Destination(ABC):
    """A folder or an object store prefix, in which files have keys: safe relative paths with `/` between their parts.

    A key never shows less than a whole file. Every method raises `DestinationUnavailable` for what may pass by itself
    and `DestinationError` for what will not, each naming the destination and the reason.

    Attributes:
        url: the canonical URL.
        local_dir: the folder, or None in an object store. Where there is one, transfers write straight into it;
            elsewhere they write to a staging folder, and `put_file` takes it from there.
    """

    url: str
    local_dir: Path | None

    @property
    def is_local(self) -> bool:
        """Whether files lie in a folder that this process can open."""
        return self.local_dir is not None

    def url_of(self, key: str) -> str:
        """Where the file with this key is, for people."""
        return f"{self.url}/{check_key(key)}"

    @abstractmethod
    def folder(self, name: str) -> Destination:
        """The destination below this one with that name; nothing is created."""

    @abstractmethod
    async def check_writable(self) -> None:
        """Write and remove a small probe; a local folder is made where there is none. Nothing else stays behind."""

    @abstractmethod
    async def put_file(self, source: Path, key: str) -> None:
        """Store a whole local file under the key, replacing what was there at once or not at all.

        The source stays. Cancelled or killed, the key shows what was there before or the whole new file; a store may
        keep unfinished parts, unseen, until its lifecycle rules clear them. Holds at most 16 MiB in memory.
        """

    @abstractmethod
    async def stat(self, key: str) -> int | None:
        """The size of the file in bytes, or None if there is none."""

    @abstractmethod
    async def digest(self, key: str, algorithm: str) -> str:
        """The digest of the file ("md5" or "sha256") in lower-case hexadecimal, read piece by piece."""

    @abstractmethod
    async def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The whole file, which must not be larger than the limit."""

    @abstractmethod
    def open(self, key: str) -> BinaryIO:
        """The file, to be read in pieces from anywhere in it, in a thread or a process where waiting harms nobody."""

    @abstractmethod
    async def list(self, prefix: str = "") -> Mapping[str, int]:
        """Size by key of all files below a folder of this destination, or of the whole of it."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove the file; harmless if there is none."""


def check_key(key: str) -> str:
    """The key, which is a relative path that cannot lead out of its destination.

    Raises:
        DestinationError: it is none.
    """
    try:
        return str(safe_relative_path(key))
    except UnsafeName as error:
        raise DestinationError(f"{key!r} is no key: it must be a plain relative path") from error
