"""Signed links and keys stay out of logs and messages.

A download link's query string is a bearer token: whoever reads it can fetch the file. httpx logs whole URLs at INFO and
httpcore whole redirect headers at DEBUG, so their loggers get a filter; handlers and levels are left as they are.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit, urlunsplit

_QUERY = re.compile(r"\?[^\s\"'<>]+")
_USER = re.compile(r"(?<=://)[^/\s\"'@?#]+@")

# Filters act on the logger that a record is made on, not on its parents, so each one is named.
_TALKATIVE = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)


def without_secrets(url: str) -> str:
    """Return the address without user, password, query string and fragment."""
    try:
        parts = urlsplit(url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return "(an address that cannot be read)"


def hide_queries(text: str) -> str:
    """Return the text with the query string and the user name cut off every address in it."""
    return _USER.sub("", _QUERY.sub("?...", text))


class QueryFilter(logging.Filter):
    """Cuts query strings and user names off every address in a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it always passes."""
        record.msg = hide_queries(record.getMessage())
        record.args = None
        return True


_FILTER = QueryFilter()


def keep_links_out_of_logs() -> None:
    """Make the HTTP libraries' loggers leave query strings out; calling it again changes nothing."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_FILTER)
