"""What lies in an order's folder, held against the manifest: missing, wrong size, wrong digest."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from jobs.abreast import abreast
from jobs.context import Progress, show_nobody
from jobs.destination import Destination
from jobs.run import FileRecord
from planet_sdk.checksum import check_order_folder
from planet_sdk.exceptions import ChecksumMismatch, ClientError
from planet_sdk.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, FileCheck, ManifestEntry, read_manifest

__all__ = ["MOST_NAMED", "Promise", "Proof", "prove_files"]

_SIDE_BY_SIDE = os.cpu_count() or 1  # reading and hashing keeps one core busy for each file
MOST_NAMED = 5  # files that a reason names


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file at the destination has to be."""

    key: str
    size_bytes: int | None = None
    digest: tuple[str, str] | None = None  # algorithm, value


@dataclass(frozen=True, slots=True)
class Proof:
    """What was promised, and what is wrong, by the file's key."""

    promises: list[Promise]
    problems: dict[str, str]


async def prove_files(
    destination: Destination, folder: str, noted: Mapping[str, FileRecord], progress: Progress = show_nobody
) -> Proof:
    """Read the files of an order and hold each against what was promised. Changes nothing.

    Args:
        destination: where the folder is.
        folder: of the order; empty where the destination is that folder.
        noted: what download saw arrive, by key. It counts for files that the manifest does not list, and where there is
            no manifest; what it lists counts as missing when it is not there.
        progress: told of each file that is as promised.

    Raises:
        DestinationError: the destination cannot be read.
    """
    promises, problems = await _promises(destination, folder, noted)
    found = await abreast(partial(_check, destination, progress), promises, _SIDE_BY_SIDE)
    wrong = {promise.key: problem for promise, problem in zip(promises, found, strict=True) if problem}
    return Proof(promises, problems | wrong)


async def _promises(
    destination: Destination, folder: str, noted: Mapping[str, FileRecord]
) -> tuple[list[Promise], dict[str, str]]:
    """What has to be there, by the manifest and by download's notes, and what is wrong with the manifest itself."""
    manifest = _key(folder, MANIFEST_NAME)
    promised = {key: _as_noted(record) for key, record in noted.items()}
    size = await destination.stat(manifest)
    if size is None:
        return list(promised.values()), {}  # where it was noted, it counts as missing
    if size > MAX_MANIFEST_BYTES:
        return [], {manifest: f"{FileCheck.BAD_SIZE}: {size:,} bytes, more than any manifest has"}
    try:
        entries = read_manifest(await destination.read(manifest))
    except ClientError as error:
        return [], {manifest: str(error)}
    archives = [key for key in noted if key.endswith(".zip") and not noted[key].archive]
    unpacked = {record.archive for record in noted.values()}  # proven as they arrived, and gone
    inside: list[ManifestEntry] = []
    for entry in entries:
        key = _key(folder, entry.path)
        if archives and key not in noted:
            inside.append(entry)
        elif key not in unpacked:
            key = _unpacked_key(key, entry, noted)
            promised[key] = _as_listed(key, entry)
    return list(promised.values()), await _check_archives(destination, folder, archives, inside)


def _unpacked_key(key: str, entry: ManifestEntry, noted: Mapping[str, FileRecord]) -> str:
    """Where the file lies: an archive may hold it below a folder that the manifest does not name."""
    if key in noted and not noted[key].problem:
        return key
    found = [other for other, record in noted.items() if record.archive and other.endswith(f"/{entry.path}")]
    return found[0] if len(found) == 1 else key


def _key(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path


def _as_listed(key: str, entry: ManifestEntry) -> Promise:
    """What the manifest promises."""
    return Promise(key, entry.size_bytes, _strongest(entry.sha256, entry.md5))


def _as_noted(record: FileRecord) -> Promise:
    """What download saw arrive; for files that the manifest does not list, as itself."""
    return Promise(record.path, record.size_bytes, _strongest(record.sha256, record.md5))


def _strongest(sha256: str | None, md5: str | None) -> tuple[str, str] | None:
    if sha256:
        return "sha256", sha256
    return ("md5", md5) if md5 else None


async def _check(destination: Destination, progress: Progress, promise: Promise) -> str | None:
    size = await destination.stat(promise.key)
    if size is None:
        return FileCheck.MISSING
    if promise.size_bytes is not None and size != promise.size_bytes:
        return f"{FileCheck.BAD_SIZE}: {size:,} bytes, {promise.size_bytes:,} were promised"
    if promise.digest:
        algorithm, value = promise.digest
        if await destination.digest(promise.key, algorithm) != value:
            return f"{FileCheck.BAD_DIGEST}: its {algorithm} is not the promised one"
    progress(promise.key, size, size)
    return None


async def _check_archives(
    destination: Destination, folder: str, archives: list[str], inside: list[ManifestEntry]
) -> dict[str, str]:
    """Check the files that a manifest lists and that lie in the archives beside it.

    In an object store, an archive is held against the digest or size it arrived with, and is not opened.
    """
    if not inside or destination.local_dir is None:
        return {}
    algorithm = "sha256" if all(entry.sha256 for entry in inside) else "md5"
    try:
        await asyncio.to_thread(check_order_folder, destination.local_dir / folder, algorithm)
    except ChecksumMismatch as error:
        return dict.fromkeys(archives, f"{FileCheck.BAD_DIGEST}: {'; '.join(error.problems[:MOST_NAMED])}")
    return {}
