"""Digests of files on disk, and a downloaded order held against its manifest."""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

from planet_sdk.exceptions import ChecksumMismatch, ClientError
from planet_sdk.manifest import MANIFEST_NAME, FileCheck, ManifestEntry, read_manifest_file
from planet_sdk.paths import path_inside

if TYPE_CHECKING:
    from io import BufferedIOBase
    from pathlib import Path

__all__ = ["ALGORITHMS", "check_order_folder", "digest", "file_digest"]

ALGORITHMS = ("md5", "sha256")

_Member: TypeAlias = tuple[zipfile.ZipFile, zipfile.ZipInfo]

# What a damaged archive makes the standard library raise; RuntimeError: encrypted, or an unknown compression.
_UNREADABLE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def file_digest(path: Path, algorithm: str) -> str:
    """Return the digest of the file as lower-case hexadecimal.

    Reads the file piece by piece, and lets other threads run while it hashes.

    Args:
        path: the file.
        algorithm: "md5" or "sha256", in any capitals.

    Raises:
        ClientError: another algorithm.
        OSError: the file cannot be read.
    """
    algorithm = _algorithm(algorithm)
    with path.open("rb") as file:
        return _hexdigest(file, algorithm)


async def digest(path: Path, algorithm: str) -> str:
    """Return the digest of the file, computed in a thread: see file_digest()."""
    return await asyncio.to_thread(file_digest, path, algorithm)


def check_order_folder(directory: Path, checksum: str) -> None:
    """Return only if every file that the folder's manifest lists is there, with its size and digest.

    A file may also lie in a zip archive beside the manifest, as Planet delivers orders with an `archive_type`.
    Changes nothing. Files are read on all cores, a piece at a time.

    Args:
        directory: the order's folder, with its manifest.json.
        checksum: "MD5" or "SHA256", in any capitals.

    Raises:
        ChecksumMismatch: files are missing or wrong; lists each of them.
        UnsafeName: the manifest names a file outside the folder.
        ClientError: there is no manifest, or it cannot be read.
    """
    algorithm = _algorithm(checksum)
    entries = read_manifest_file(directory / MANIFEST_NAME)
    paths = [path_inside(directory, entry.path) for entry in entries]
    with ExitStack() as stack:
        problems: list[str] = []
        members = [] if all(path.is_file() for path in paths) else _open_archives(directory, stack, problems)
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        checks = pool.map(partial(_check, members=members, algorithm=algorithm), entries, paths)
        problems += [problem for problem in checks if problem]
    if problems:
        raise ChecksumMismatch(
            f"{directory}: {len(problems)} of {len(entries)} files are not those of the manifest; "
            f"download them again: {'; '.join(problems)}",
            problems,
        )


def _check(entry: ManifestEntry, path: Path, *, members: list[_Member], algorithm: str) -> str | None:
    """Return what is wrong with one file, or None."""
    expected = entry.md5 if algorithm == "md5" else entry.sha256
    if expected is None:
        return f"{entry.path}: the manifest gives no {algorithm}"
    try:
        if path.is_file():
            size, file = path.stat().st_size, cast("BufferedIOBase", path.open("rb"))
        elif found := _find_member(members, entry.path):
            archive, member = found
            size, file = member.file_size, cast("BufferedIOBase", archive.open(member))
        else:
            return f"{entry.path}: {FileCheck.MISSING}"
        with file:
            if entry.size_bytes is not None and entry.size_bytes != size:
                return f"{entry.path}: {FileCheck.BAD_SIZE} ({size:,} bytes, the manifest says {entry.size_bytes:,})"
            if _hexdigest(file, algorithm) != expected:
                return f"{entry.path}: {FileCheck.BAD_DIGEST} ({algorithm})"
    except _UNREADABLE as error:
        return f"{entry.path}: cannot be read ({error})"
    return None


def _open_archives(directory: Path, stack: ExitStack, problems: list[str]) -> list[_Member]:
    """Return what the archives beside the manifest hold; an archive that cannot be opened becomes a problem."""
    members: list[_Member] = []
    for path in sorted(directory.glob("*.zip")):
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except _UNREADABLE as error:
            problems.append(f"{path.name}: no readable archive ({error})")
        else:
            members += [(archive, member) for member in archive.infolist()]
    return members


def _find_member(members: list[_Member], path: str) -> _Member | None:
    """Return the one member that is the file: by its whole path, else by that path below a folder of the archive."""
    found = [member for member in members if member[1].filename == path]
    found = found or [member for member in members if member[1].filename.endswith(f"/{path}")]
    return found[0] if len(found) == 1 else None


def _algorithm(name: str) -> str:
    if name.lower() not in ALGORITHMS:
        raise ClientError(f"Checksum ({name}) must be one of MD5 or SHA256.")
    return name.lower()


def _hexdigest(file: BufferedIOBase, algorithm: str) -> str:
    # usedforsecurity: md5 here finds damage, not forgery, and must also work where FIPS mode forbids it for the latter
    return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
