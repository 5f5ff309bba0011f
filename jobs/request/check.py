"""Whether a request can be ordered at all, told before anything is enqueued."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jobs.errors import BadRequest, Problem
from jobs.request.delivery import check_delivery, check_hosting, check_notifications
from jobs.request.plain import plain_copy
from jobs.request.products import check_products
from jobs.request.split import MAX_NAME_LENGTH
from jobs.request.tools import check_tools
from jobs.request.wording import kind_of, shown, spelled, suggestion, unknown_keys
from planet_sdk import specs

_MAX_PROBLEMS = 30  # that one answer lists

_KEYS = (
    "name",
    "source_type",
    "order_type",
    "products",
    "subscription_id",
    "tools",
    "delivery",
    "notifications",
    "metadata",
    "hosting",
)
_SOURCE_TYPES = ("scenes", "basemaps")


def check_request(request: object, *, allow_unknown: bool = False) -> dict[str, Any]:
    """Return a copy of the request that can be ordered, with names in Planet's spelling; the argument is not changed.

    One with more items than an order holds passes if split_request() makes several of it.
    Nothing is asked of Planet: whether the items exist, and whether the account may have them, it says when the order
    is created.

    Args:
        request: the JSON that creates an order, as `planet_sdk.order_request.build_request` makes it.
        allow_unknown: let item types, bundles, tools and fields pass that this version does not know.

    Raises:
        BadRequest: with all problems at once, each with its field.
    """
    copy = plain_copy(request)
    if not isinstance(copy, dict):
        raise BadRequest([Problem("", f"a request is an object with a name and products, not {kind_of(copy)}")])
    problems = list(islice(_problems(copy, allow_unknown=allow_unknown), _MAX_PROBLEMS + 1))
    if len(problems) > _MAX_PROBLEMS:
        problems[-1] = Problem("", f"there is more wrong than these {_MAX_PROBLEMS} problems; mend them first")
    if problems:
        raise BadRequest(problems)
    return copy


def _problems(request: dict[str, Any], *, allow_unknown: bool) -> Iterator[Problem]:
    """Check every part; canonical spellings are written into the request."""
    if not allow_unknown:
        yield from unknown_keys(request, _KEYS, "")
    yield from _check_name(request)
    yield from _check_choice(request, "source_type", _SOURCE_TYPES)
    yield from _check_choice(request, "order_type", specs.SUPPORTED_ORDER_TYPES)
    yield from check_products(request, allow_unknown=allow_unknown)
    yield from check_tools(request, allow_unknown=allow_unknown)
    yield from check_delivery(request, allow_unknown=allow_unknown)
    yield from check_notifications(request)
    yield from check_hosting(request)
    yield from _check_subscription(request)


def _check_name(request: dict[str, Any]) -> Iterator[Problem]:
    """Write the name in the one form that no server changes: an order is found again by it."""
    name = request.get("name")
    if name is None:
        yield Problem("name", "it is missing; give the order a name that people will recognise")
    elif not isinstance(name, str):
        yield Problem("name", f"a name is a text, not {kind_of(name)}")
    elif not name.strip():
        yield Problem("name", "it is empty; give the order a name that people will recognise")
    elif len(name) > MAX_NAME_LENGTH:
        yield Problem("name", f"it has {len(name):,} characters; {MAX_NAME_LENGTH} is the limit")
    elif not name.isprintable():
        yield Problem("name", f"{shown(name)} holds characters that cannot be printed; leave them out")
    else:
        request["name"] = unicodedata.normalize("NFC", name.strip())


def _check_choice(request: dict[str, Any], key: str, offered: list[str] | tuple[str, ...]) -> Iterator[Problem]:
    """Write the offered spelling of a value into the request, where there is a value."""
    if key not in request:
        return
    value = spelled(request[key], offered)
    if value is None:
        yield Problem(key, f"{shown(request[key])} is not offered; {suggestion(request[key], offered)}")
    else:
        request[key] = value


def _check_subscription(request: dict[str, Any]) -> Iterator[Problem]:
    value = request.get("subscription_id", 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        yield Problem("subscription_id", f"{shown(value)} is no subscription; leave it out, or give its whole number")
