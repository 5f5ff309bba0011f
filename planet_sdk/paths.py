"""File names that a server chose, made safe to use."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePath, PurePosixPath

from planet_sdk.exceptions import UnsafeName

PART_SUFFIX = ".part"
SIDECAR_SUFFIX = ".part.json"
FRESH_SIDECAR_SUFFIX = f"{SIDECAR_SUFFIX}.new"  # while it is replaced

# 255 is what ext4, XFS, APFS and NTFS allow; the longest name beside a file is its sidecar's while that is replaced.
MAX_PART_BYTES = 255 - len(FRESH_SIDECAR_SUFFIX)
MAX_NAME_BYTES = 2048  # Linux takes 4096 for a whole path; the folder needs its share

_DRIVE = re.compile(r"^[A-Za-z]:")
# What terminals obey, what ends a line, and what makes a name look like another: marks of direction, and of no width.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def safe_relative_path(name: str, directory: Path | None = None) -> PurePosixPath:
    """Return the name as a relative path that cannot lead out of the folder it is joined to.

    Refused: absolute paths, `.`, `..` and empty parts, backslashes, drives, control characters and invisible ones, text
    that has no UTF-8 form, parts longer than a file system allows, and the suffixes that unfinished transfers use.

    Args:
        name: as the server wrote it, parts divided by `/`.
        directory: the folder to name in the error.

    Raises:
        UnsafeName: the name is none that a file here may have.
    """
    parts = name.split("/")
    if (
        any(part in {"", ".", ".."} for part in parts)
        or "\\" in name
        or _DRIVE.match(name)
        or _CONTROL.search(name)
        or not _fits(name, parts)
        or any(part.lower().endswith((PART_SUFFIX, SIDECAR_SUFFIX, FRESH_SIDECAR_SUFFIX)) for part in parts)
    ):
        raise UnsafeName(name, directory or Path())
    return PurePosixPath(*parts)


def path_inside(directory: Path, name: str) -> Path:
    """Return `directory / name`, certain to lie inside the directory when this is called.

    Args:
        directory: need not exist yet.
        name: as the server wrote it.

    Raises:
        UnsafeName: see `safe_relative_path`; also where a symbolic link on the way leads out of the directory.
    """
    path = directory / safe_relative_path(name, directory)
    try:
        inside = path.resolve().is_relative_to(directory.resolve())
    except (
        OSError,
        RuntimeError,
    ) as error:  # a loop of links, until Python 3.12; since then it stays, and opens nothing
        raise UnsafeName(name, directory) from error
    if not inside:
        raise UnsafeName(name, directory)
    return path


def as_one_name(path: PurePath) -> str:
    """Return what is the same for paths that some disk, as that of a Mac, takes for one and the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def _fits(name: str, parts: list[str]) -> bool:
    try:
        return len(name.encode()) <= MAX_NAME_BYTES and all(len(part.encode()) <= MAX_PART_BYTES for part in parts)
    except UnicodeEncodeError:
        return False
