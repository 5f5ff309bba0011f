"""What an asset's JSON says, each thing checked when it is needed; and a file held against it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planet_sdk.checksum import file_digest
from planet_sdk.exceptions import ChecksumMismatch, ClientError
from planet_sdk.redaction import without_secrets
from planet_sdk.transfer import Expected

ACTIVE = "active"
INACTIVE = "inactive"

_HOW_TO_ACTIVATE = "activate it with activate_asset(), and take what wait_asset() returns"


def name_of(asset: Mapping[str, Any]) -> str:
    """Return what messages call it: its type, and its address, where it has them."""
    links = asset.get("_links")
    address = links.get("_self") if isinstance(links, Mapping) else None
    kind = asset.get("type") or "of unknown type"
    return f"asset {kind} ({without_secrets(address)})" if isinstance(address, str) else f"asset {kind}"


def status_of(asset: Mapping[str, Any]) -> str:
    """Return its status: inactive, activating or active."""
    status = asset.get("status")
    if not isinstance(status, str):
        raise _missing(asset, '["status"]')
    return status


def link_of(asset: Mapping[str, Any], name: str) -> str:
    """Return one of its links: `_self` or `activate`."""
    links = asset.get("_links")
    link = links.get(name) if isinstance(links, Mapping) else None
    if not (isinstance(link, str) and link):
        raise _missing(asset, f'["_links"]["{name}"]')
    return link


def location_of(asset: Mapping[str, Any]) -> str:
    """Return its download link, or raise ClientError if it is not active."""
    location = asset.get("location")
    if not (isinstance(location, str) and location):
        raise ClientError(
            f'{name_of(asset)} missing ["location"] entry, as long as it is {asset.get("status")}: {_HOW_TO_ACTIVATE}'
        )
    return location


def expected_of(asset: Mapping[str, Any]) -> Expected:
    """Return what it promises about its file: the MD5, once it is active."""
    md5 = asset.get("md5_digest")
    return Expected(md5=md5 if isinstance(md5, str) and md5 else None)


def check_file(asset: Mapping[str, Any], path: Path) -> None:
    """Return only if the file is the asset's; it is read a piece at a time.

    Raises:
        ChecksumMismatch: it is another file.
        ClientError: there is no file, or the asset has no digest.
    """
    wanted = expected_of(asset).digest
    if wanted is None:
        raise ClientError(f'{name_of(asset)} missing ["md5_digest"] entry: {_HOW_TO_ACTIVATE}')
    try:
        found = file_digest(path, wanted[0])
    except FileNotFoundError as error:
        raise ClientError(f"File ({path}) does not exist.") from error
    except OSError as error:
        raise ClientError(f"File ({path}) cannot be read: {error.strerror}") from error
    if found != wanted[1]:
        problem = f"its md5 is {found}, that of {name_of(asset)} is {wanted[1]}"
        raise ChecksumMismatch(
            f"File ({path}) checksums do not match: {problem}; download it again with overwrite=True",
            [f"{path}: {problem}"],
        )


def _missing(asset: Mapping[str, Any], entry: str) -> ClientError:
    return ClientError(f"{name_of(asset)} missing {entry} entry: pass what get_asset() returned")
