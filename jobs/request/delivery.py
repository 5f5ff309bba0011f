"""Where Planet puts the files and whom it tells. What is checked here is never repeated in a message: it holds keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jobs.errors import Problem
from jobs.request.wording import kind_of, suggestion, unknown_keys
from planet_sdk import specs

# Cloud blocks with the fields Planet asks for; the first of them names the place to people.
_CLOUDS: dict[str, tuple[str, ...]] = {
    "amazon_s3": ("bucket", "aws_region", "aws_access_key_id", "aws_secret_access_key"),
    "azure_blob_storage": ("container", "account", "sas_token"),
    "google_cloud_storage": ("bucket", "credentials"),
    "google_earth_engine": ("collection", "project"),
    "oracle_cloud_storage": ("bucket", "customer_access_key_id", "customer_secret_key", "region", "namespace"),
    "s3_compatible": ("bucket",),
    "destination": ("ref",),
}
_ARCHIVE_KEYS = ("archive_type", "single_archive", "archive_filename", "layout")
_NOTIFICATION_KEYS = ("email", "webhook")


def cloud_target(request: Mapping[str, Any]) -> str | None:
    """Where Planet itself delivers the files, as people may read it; None where it offers links to download."""
    delivery = request.get("delivery")
    if not isinstance(delivery, Mapping):
        return None
    for cloud, (place, *_) in _CLOUDS.items():
        if cloud in delivery:
            block = delivery[cloud]
            name = block.get(place) if isinstance(block, Mapping) else None
            return f"{cloud} {place} {name}" if isinstance(name, str) else cloud
    return None


def check_delivery(request: dict[str, Any], *, allow_unknown: bool) -> Iterator[Problem]:
    """Check the archive settings and that there is at most one cloud, with all that Planet asks for."""
    if "delivery" not in request:
        return
    delivery = request["delivery"]
    if not isinstance(delivery, dict):
        yield Problem("delivery", f"it is an object, not {kind_of(delivery)}; leave it out for download links")
        return
    if not allow_unknown:
        yield from unknown_keys(delivery, (*_ARCHIVE_KEYS, *_CLOUDS), "delivery")
    archive_type = delivery.get("archive_type")
    if archive_type is not None and archive_type not in specs.SUPPORTED_ARCHIVE_TYPES:
        what = f"Planet makes no such archives; {suggestion(archive_type, specs.SUPPORTED_ARCHIVE_TYPES)}"
        yield Problem("delivery.archive_type", what)
    if not isinstance(delivery.get("single_archive", False), bool | None):
        yield Problem("delivery.single_archive", "it is true or false")
    if not isinstance(delivery.get("archive_filename", ""), str | None):
        yield Problem("delivery.archive_filename", "it is a text; {{name}} and {{order_id}} are filled in by Planet")
    yield from _check_clouds({name: block for name, block in delivery.items() if name in _CLOUDS})


def _check_clouds(clouds: dict[str, Any]) -> Iterator[Problem]:
    if len(clouds) > 1:
        yield Problem("delivery", f"Planet delivers to one place; choose one of {', '.join(clouds)}")
    for name, block in clouds.items():
        if not isinstance(block, dict):
            yield Problem(f"delivery.{name}", f"it is an object, not {kind_of(block)}")
            continue
        for key in _CLOUDS[name]:
            if not isinstance(block.get(key), str) or not block[key].strip():
                yield Problem(f"delivery.{name}.{key}", "it is missing, or no text; Planet needs it to deliver there")


def check_notifications(request: dict[str, Any]) -> Iterator[Problem]:
    """Check whom Planet tells; a flat shape, which Planet drops without a word, is refused."""
    if "notifications" not in request:
        return
    told = request["notifications"]
    if not isinstance(told, dict):
        yield Problem("notifications", f"it is an object, not {kind_of(told)}")
        return
    yield from unknown_keys(told, _NOTIFICATION_KEYS, "notifications")
    if not isinstance(told.get("email", False), bool):
        yield Problem("notifications.email", "it is true or false; Planet knows the address from your account")
    if "webhook" in told:
        yield from _check_webhook(told["webhook"])


def _check_webhook(webhook: object) -> Iterator[Problem]:
    if not isinstance(webhook, dict):
        yield Problem("notifications.webhook", 'it is an object such as {"url": "https://…", "per_order": true}')
        return
    yield from unknown_keys(webhook, ("url", "per_order"), "notifications.webhook")
    if not _is_web_address(webhook.get("url")):
        yield Problem("notifications.webhook.url", "it is the address Planet calls: https://host/path")
    if not isinstance(webhook.get("per_order", False), bool):
        yield Problem("notifications.webhook.per_order", "it is true or false")


def check_hosting(request: dict[str, Any]) -> Iterator[Problem]:
    """Check hosting and STAC metadata, of which an order has one at most."""
    for key in ("hosting", "metadata"):
        if not isinstance(request.get(key, {}), dict):
            yield Problem(key, f"it is an object, not {kind_of(request[key])}")
    metadata = request.get("metadata")
    if request.get("hosting") and isinstance(metadata, dict) and "stac" in metadata:
        yield Problem("hosting", "Planet does not host an order with STAC metadata; leave one of the two out")


def _is_web_address(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False
