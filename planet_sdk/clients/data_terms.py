"""What the Data API takes, checked before it is sent, and the lists it gives."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from typing import Any, ClassVar
from urllib.parse import quote

from planet_sdk.exceptions import ClientError
from planet_sdk.geojson import as_geom_or_ref
from planet_sdk.models import Paged
from planet_sdk.specs import validate_data_item_type

LIST_SORT_ORDER = ("created desc", "created asc")
LIST_SORT_DEFAULT = "created desc"
LIST_SEARCH_TYPE = ("any", "saved", "quick")
LIST_SEARCH_TYPE_DEFAULT = "any"

SEARCH_SORT = ("published desc", "published asc", "acquired desc", "acquired asc")
SEARCH_SORT_DEFAULT = "published desc"

STATS_INTERVAL = ("hour", "day", "week", "month", "year")


class Items(Paged):
    """The items that a search found, page by page."""

    NEXT_KEY: ClassVar[str] = "_next"
    ITEMS_KEY: ClassVar[str] = "features"


class Searches(Paged):
    """The searches of a list, page by page."""

    NEXT_KEY: ClassVar[str] = "_next"
    ITEMS_KEY: ClassVar[str] = "searches"


def one_of(value: Any, known: Collection[str], what: str) -> str:
    """Return the value in lower case, which is how the API spells it.

    Raises:
        ClientError: it is none of those known.
    """
    if not isinstance(value, str) or value.lower() not in known:
        raise ClientError(f"{what} ({value}) must be one of {known}")
    return value.lower()


def sort_of(sort: str | None) -> dict[str, str]:
    """Return the query parameter that sorts items, or raise ClientError."""
    return unless_default("_sort", one_of(sort, SEARCH_SORT, "sort"), SEARCH_SORT_DEFAULT) if sort else {}


def unless_default(name: str, value: str, default: str) -> dict[str, str]:
    """Return the query parameter; none for the API's own default, which is not sent, as in `planet` 2.14."""
    return {} if value == default else {name: value}


def item_types_of(names: Iterable[str]) -> list[str]:
    """Return the item types in Planet's spelling.

    Raises:
        SpecificationException: Planet has no such item type.
        ClientError: it is a single name.
    """
    if isinstance(names, str):  # its letters are no item types
        raise ClientError(f"item types are a list, as in [{names!r}]")
    return [validate_data_item_type(name) for name in names]


def saved_search(
    item_types: list[str],
    search_filter: dict[str, Any],
    name: str,
    enable_email: bool,
    geometry: dict[str, Any] | str | None,
) -> dict[str, Any]:
    """Return the JSON of a search that is to be saved; for arguments and errors see DataClient.create_search()."""
    return {
        "name": name,
        "filter": search_filter,
        "item_types": item_types_of(item_types),
        "__daily_email_enabled": enable_email,
        **({"geometry": as_geom_or_ref(geometry)} if geometry else {}),
    }


def check_search_id(search_id: str) -> str:
    """Return the id, which is certain to be a UUID, or raise ClientError."""
    try:
        uuid.UUID(hex=search_id)
    except (ValueError, AttributeError, TypeError) as error:
        raise ClientError(f"Search id ({search_id}) is not a valid UUID hexadecimal string.") from error
    return search_id


def segment(name: Any, what: str) -> str:
    """Return the name as one part of an address's path, or raise ClientError if it cannot be one."""
    if not isinstance(name, str) or name in {"", ".", ".."}:
        raise ClientError(f"{what} ({name!r}) is not one")
    return quote(name, safe="")
