"""manifest.json: what an order holds, with the size and digests of every file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from planet_sdk.exceptions import ClientError
from planet_sdk.paths import safe_relative_path
from planet_sdk.strict_json import read_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MANIFEST_NAME", "MAX_MANIFEST_BYTES", "FileCheck", "ManifestEntry", "read_manifest", "read_manifest_file"]

MANIFEST_NAME = "manifest.json"

MAX_MANIFEST_BYTES = 64 * 1024 * 1024  # a hundred thousand files; it is read as a whole

_TOO_LARGE = 2**63  # no file system counts further
_HEX_DIGITS = {"md5": 32, "sha256": 64}


class FileCheck(StrEnum):
    """What became of one file that the manifest lists."""

    OK = "ok"
    MISSING = "missing"
    BAD_SIZE = "bad_size"
    BAD_DIGEST = "bad_digest"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One file of an order.

    Attributes:
        path: relative to the order's folder, without the order id, with forward slashes; never leaves the folder.
        size_bytes: the size, where the manifest gives it.
        sha256: the digest in lower-case hexadecimal, where the manifest gives it.
        md5: as sha256.
        media_type: for example "image/tiff".
        annotations: Planet's own words on the file: `planet/item_id`, `planet/item_type`, `planet/asset_type`, ...
    """

    path: str
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    media_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def read_manifest(body: bytes) -> list[ManifestEntry]:
    """Return the files that the manifest lists.

    Whatever may be missing (size, digests, annotations) may be missing; what is there must make sense.

    Raises:
        UnsafeName: a path leaves the order's folder.
        ClientError: it is no manifest, with the entry and the field that is wrong.
    """
    if len(body) > MAX_MANIFEST_BYTES:
        raise ClientError(f"{MANIFEST_NAME} is longer than {MAX_MANIFEST_BYTES:,} bytes; it is not read")
    try:
        manifest = read_json(body)
    except ValueError as error:
        raise ClientError(f"{MANIFEST_NAME} does not contain valid JSON ({error}); fetch it again") from error
    files = manifest.get("files") if isinstance(manifest, Mapping) else None
    if not isinstance(files, list):
        raise ClientError(f'{MANIFEST_NAME} has no list "files"; it is not the manifest of an order')
    entries: dict[str, ManifestEntry] = {}
    for position, raw in enumerate(files):
        entry = _read_entry(raw, f"{MANIFEST_NAME}, files[{position}]")
        if entries.setdefault(entry.path, entry) != entry:
            raise ClientError(f"{MANIFEST_NAME}, files[{position}]: {entry.path!r:.300} is listed twice, differently")
    return list(entries.values())


def read_manifest_file(path: Path) -> list[ManifestEntry]:
    """Return the files that the manifest on disk lists: see read_manifest().

    Raises:
        ClientError: it is not there, cannot be read, or is no manifest.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_MANIFEST_BYTES + 1)
    except FileNotFoundError as error:
        raise ClientError(f"File ({path}) does not exist; download the order first, or name its own folder") from error
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error}") from error
    return read_manifest(body)


def _read_entry(raw: object, where: str) -> ManifestEntry:
    if not isinstance(raw, Mapping):
        raise ClientError(f"{where} is not an object")
    path = raw.get("path")
    if not isinstance(path, str):
        raise ClientError(f'{where} has no text "path"')
    size = raw.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _TOO_LARGE):
        raise ClientError(f'{where} ({path!r:.300}): "size" is {size!r:.50}, not a number of bytes')
    digests = _object(raw, "digests", where)
    media_type = raw.get("media_type")
    return ManifestEntry(
        path=str(safe_relative_path(path)),
        size_bytes=size,
        sha256=_digest(digests, "sha256", where),
        md5=_digest(digests, "md5", where),
        media_type=media_type if isinstance(media_type, str) else None,
        annotations={str(key): str(value) for key, value in _object(raw, "annotations", where).items()},
    )


def _object(raw: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ClientError(f'{where}: "{key}" is not an object')
    return value


def _digest(digests: Mapping[str, Any], algorithm: str, where: str) -> str | None:
    value = digests.get(algorithm)
    if not value:
        return None
    if not isinstance(value, str) or not re.fullmatch(rf"[0-9a-fA-F]{{{_HEX_DIGITS[algorithm]}}}", value):
        raise ClientError(f"{where}: {value!r:.100} is no {algorithm} digest")
    return value.lower()
