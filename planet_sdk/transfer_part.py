"""The part file of one transfer: what has arrived so far, provably, and whose it is.

Beside `scene.tif` lie `scene.tif.part`, to which bytes are only ever added, and `scene.tif.part.json`, the sidecar,
with the version of the file that they are of. The size of the part file is the truth about what has arrived, so that a
process that is killed at any line leaves something to continue from. A lock on the part file keeps others off it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from planet_sdk.exceptions import TransferBusy, TransferCorrupt, TransferError
from planet_sdk.file_lock import is_same_file, open_locked
from planet_sdk.paths import PART_SUFFIX, SIDECAR_SUFFIX
from planet_sdk.transfer_terms import Expected, Version

_log = logging.getLogger(__name__)

SIDECAR_VERSION = 1
READ_BYTES = 1024 * 1024


class Part:
    """One file's part file, between `claim` and `release`; all methods block, so call them in a thread.

    Attributes:
        path: the final path.
        size: bytes that have arrived and are in the file.
        version: the version they are of.
    """

    def __init__(self, path: Path, expected: Expected) -> None:
        self.path = path
        self.size = 0
        self.version = Version()
        self._expected = expected
        self._digest = _new_digest(expected)
        self._descriptor = -1
        self._broken: OSError | None = None

    def claim(self) -> None:
        """Lock the part file, made if missing, and take over from it what can be continued.

        Raises:
            TransferBusy: another transfer, here or in another process, holds it.
            TransferError: it cannot be opened.
        """
        with _disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            try:
                self._descriptor = open_locked(self._part_path)
            except BlockingIOError as error:
                raise TransferBusy(self.path) from error
            self._take_over()

    def release(self) -> None:
        """Give the lock back, if there is one; an empty part file is removed, any other stays to be continued."""
        if self._descriptor < 0:
            return
        try:
            if is_same_file(self._descriptor, self._part_path) and os.fstat(self._descriptor).st_size == 0:
                self._sidecar_path.unlink(missing_ok=True)
                self._part_path.unlink(missing_ok=True)
        except OSError:
            _log.warning("part file could not be removed", extra={"path": str(self._part_path)})
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def can_continue(self) -> bool:
        """Whether the rest may be asked for: the server can be asked to compare, or the result can be proven."""
        return self.size > 0 and (self.version.validator is not None or self._digest is not None)

    @property
    def is_whole_and_proven(self) -> bool:
        """Whether all bytes are there, and their digest says so: a transfer that was killed before its last step."""
        digest = self._expected.digest
        return self.size > 0 and digest is not None and self.hexdigest(digest[0]) == digest[1]

    def start_over(self, version: Version, url: str) -> None:
        """Forget what has arrived; what comes now is of this version.

        Args:
            version: as the server describes it.
            url: where it comes from, for people who read the sidecar; without its query string.
        """
        self.forget()
        with _disk_errors(self.path):
            self.version = version
            self._write_sidecar(url)

    def forget(self) -> None:
        """Empty the part file: what has arrived is not to be continued."""
        with _disk_errors(self.path):
            os.ftruncate(self._descriptor, 0)
            self._sidecar_path.unlink(missing_ok=True)
            self.size, self.version, self._digest = 0, Version(), _new_digest(self._expected)

    def append(self, chunks: Iterable[bytes | memoryview]) -> None:
        """Add what arrived. After an error nothing more can be added, so there are never holes."""
        with _disk_errors(self.path):
            if self._broken:
                raise self._broken
            try:
                for chunk in chunks:
                    self._append(chunk)
            except OSError as error:
                self._broken = error
                raise

    def finish(self) -> None:
        """Prove that this is the file that was expected, make it durable, and give it its final name.

        Raises:
            TransferCorrupt: it is not; nothing is changed.
            TransferError: the disk refused.
        """
        self._verify()
        with _disk_errors(self.path):
            os.fsync(self._descriptor)
            self._part_path.replace(self.path)
            _sync_folder(self.path.parent)
            self._sidecar_path.unlink(missing_ok=True)

    def hexdigest(self, algorithm: str) -> str | None:
        """Return the digest of what has arrived, if it is one that was computed."""
        return self._digest.hexdigest() if self._digest and self._digest.name == algorithm else None

    @property
    def _part_path(self) -> Path:
        return part_path(self.path)

    @property
    def _sidecar_path(self) -> Path:
        return sidecar_path(self.path)

    def _append(self, chunk: bytes | memoryview) -> None:
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._descriptor, rest, self.size)
            if self._digest:
                self._digest.update(rest[:written])
            self.size += written
            rest = rest[written:]

    def _verify(self) -> None:
        promised_size = self.size if self._expected.size_bytes is None else self._expected.size_bytes
        if (lying := os.fstat(self._descriptor).st_size) != promised_size:
            raise TransferCorrupt(self.path, "size", lying, promised_size)
        if self._expected.digest and self._digest:
            algorithm, promised = self._expected.digest
            if (got := self._digest.hexdigest()) != promised:
                raise TransferCorrupt(self.path, algorithm, got, promised)

    def _take_over(self) -> None:
        """Continue what lies there, if it is of the same file; hash it, as the hash went with whoever fetched it."""
        there = os.fstat(self._descriptor).st_size
        if there == 0:
            return
        version = self._read_sidecar()
        known_size = self._expected.size_bytes
        if version is None or (known_size is not None and there > known_size):
            self.forget()
            return
        self.version = version
        while self._digest and (block := os.pread(self._descriptor, READ_BYTES, self.size)):
            self._digest.update(block)
            self.size += len(block)
        self.size = there

    def _read_sidecar(self) -> Version | None:
        """Return the version of the bytes in the part file, or None where they are of another file, or nobody knows."""
        try:
            sidecar = json.loads(self._sidecar_path.read_bytes())
            if sidecar["format"] != SIDECAR_VERSION:
                return None
            there, now = Expected(**sidecar["expected"]), self._expected
            version = Version(**sidecar["version"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # missing, or not one of ours
            return Version() if self._digest else None
        is_other = any(
            getattr(there, key) != getattr(now, key)
            for key in ("size_bytes", "sha256", "md5")
            if getattr(there, key) is not None and getattr(now, key) is not None
        )
        return None if is_other else version

    def _write_sidecar(self, url: str) -> None:
        sidecar = {
            "format": SIDECAR_VERSION,
            "url": url,
            "version": asdict(self.version),
            "expected": asdict(self._expected),
        }
        fresh = self._sidecar_path.with_name(f"{self._sidecar_path.name}.new")
        fresh.write_text(json.dumps(sidecar, indent=1))
        fresh.replace(self._sidecar_path)


def part_path(path: Path) -> Path:
    """Return where the unfinished file lies."""
    return path.with_name(path.name + PART_SUFFIX)


def sidecar_path(path: Path) -> Path:
    """Return where it is written what the unfinished file is."""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def _new_digest(expected: Expected) -> hashlib._Hash | None:
    # usedforsecurity: it finds damage, not forgery, and must also work where FIPS mode forbids MD5 for the latter
    return hashlib.new(expected.digest[0], usedforsecurity=False) if expected.digest else None


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; where a file system cannot sync folders, it is as durable as that one gets."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise TransferError(f"{path}: cannot be written ({reason}); what has arrived is kept", path) from error
