"""A zip archive that somebody else made: looked through before anything of it is unpacked, then a file at a time.

Refused are names that leave the folder or that some disk takes for one, links and devices, encryption, methods other
than deflate, and sizes out of proportion. What is damaged is told apart: it may arrive whole next time.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event
from types import TracebackType
from typing import Self

from jobs.destination.local import sync_folder
from jobs.errors import DamagedArchive, UnsafeArchive
from planet_sdk.paths import as_one_name, path_inside, safe_relative_path

__all__ = ["UNPACK_SUFFIX", "Archive", "Member"]

UNPACK_SUFFIX = ".unpack"  # of a file that is being written

_PIECE_BYTES = 1024 * 1024
_MAX_READ_BYTES = 8 * 1024 * 1024  # the directory is read at once: 60,000 files with names of 80 letters
_MAX_GROWTH = 200  # as bodies that the SDK undoes; deflate alone reaches 1,000
_ALWAYS_FINE_BYTES = 64 * 1024 * 1024  # however well masks and metadata compress
_ENCRYPTED = 0x1 | 0x40
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # whose every step is bounded in memory
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive.

    Attributes:
        path: relative to the order's folder; does not leave it.
        size_bytes: unpacked.
        packed_bytes: in the archive.
    """

    path: str
    size_bytes: int
    packed_bytes: int
    info: zipfile.ZipInfo


class Archive:
    """An archive, open for reading; use it as a context manager, each call in a thread.

    Args:
        path: of the archive.
        folder: leading part of its names that is left out, where they have it: the order's id.

    Raises:
        UnsafeName, UnsafeArchive: it is not to be unpacked.
        DamagedArchive: it is no archive, or not whole.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, folder: str) -> None:
        self.path = path
        self._file = _BoundedReader(path)
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = tuple(_look_through(self._zip, path, folder))
        except _DAMAGE as error:
            self._file.close()
            raise DamagedArchive(path.name, error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def unpack(self, member: Member, folder: Path, stop: Event) -> str:
        """Bring one file below the folder, whole and durable or not at all; returns its sha256.

        Harmless to repeat. Killed, it leaves a file with UNPACK_SUFFIX.

        Args:
            member: one of `members`.
            folder: of the order; is made if need be.
            stop: set to end it before its time.

        Raises:
            UnsafeName: a link on the way leads out of the folder.
            DamagedArchive: the file is not what the archive says of it.
            OSError: the disk refused, or InterruptedError: it was stopped.
        """
        target = path_inside(folder, member.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{secrets.token_hex(8)}{UNPACK_SUFFIX}")
        try:
            sha256 = self._write(member, beside, stop)
            beside.replace(target)
        except _DAMAGE as error:
            raise DamagedArchive(self.path.name, f"{member.path}: {error}") from error
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(target.parent)
        return sha256

    def _write(self, member: Member, path: Path, stop: Event) -> str:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(member.info) as packed, path.open("xb") as file:
            while piece := packed.read(_PIECE_BYTES):  # the CRC is checked with the last one
                if stop.is_set():
                    raise InterruptedError(f"{member.path}: unpacking was stopped")
                size += len(piece)
                digest.update(piece)
                file.write(piece)
            if size != member.size_bytes:
                raise EOFError(f"{size:,} bytes, {member.size_bytes:,} were promised")
            file.flush()
            os.fsync(file.fileno())
        return digest.hexdigest()


class _BoundedReader(io.BufferedReader):
    """A file of which nobody reads much at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = -1 if size is None else size
        body = super().read(_MAX_READ_BYTES + 1 if wanted < 0 else min(wanted, _MAX_READ_BYTES + 1))
        if len(body) > _MAX_READ_BYTES:
            raise UnsafeArchive(self._path.name, "its directory is longer than that of any order")
        return body


def _look_through(archive: zipfile.ZipFile, path: Path, folder: str) -> Iterable[Member]:
    """The files in it, once all of them are known to be harmless."""
    members = []
    for info in archive.infolist():
        name = info.orig_filename  # `filename` ends at a NUL
        if info.is_dir():
            safe_relative_path(name.rstrip("/"), path.parent)
            continue
        safe = safe_relative_path(name, path.parent)
        _check_kind(info, path)
        relative = safe.relative_to(folder) if safe.is_relative_to(folder) and str(safe) != folder else safe
        members.append(Member(str(relative), info.file_size, info.compress_size, info))
    _check_places(members, path)
    unpacked, packed = sum(member.size_bytes for member in members), path.stat().st_size
    if unpacked > max(_ALWAYS_FINE_BYTES, _MAX_GROWTH * packed):
        raise UnsafeArchive(path.name, f"{packed:,} bytes would become {unpacked:,}")
    return members


def _check_kind(info: zipfile.ZipInfo, path: Path) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise UnsafeArchive(path.name, f"{info.filename!r:.200} is a link or a device, not a file")
    if info.flag_bits & _ENCRYPTED:
        raise UnsafeArchive(path.name, f"{info.filename!r:.200} is encrypted")
    if info.compress_type not in _METHODS:
        raise UnsafeArchive(path.name, f"{info.filename!r:.200} is packed by method {info.compress_type}")


def _check_places(members: Iterable[Member], path: Path) -> None:
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        place = PurePosixPath(member.path)
        if as_one_name(place) in files:
            raise UnsafeArchive(path.name, f"it has more than one file for {member.path!r:.200}")
        files.add(as_one_name(place))
        folders.update(as_one_name(parent) for parent in place.parents)
    both = sorted(files & folders)
    if both:
        raise UnsafeArchive(path.name, f"{both[0]!r:.200} is a file and a folder in it")
