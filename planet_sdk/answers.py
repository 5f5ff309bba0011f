"""From what the server said, or did not say, to this package's exceptions."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import httpx

from planet_sdk import exceptions
from planet_sdk.redaction import hide_queries, without_secrets

_BY_STATUS: Mapping[int, type[exceptions.APIError]] = {
    400: exceptions.BadQuery,
    401: exceptions.InvalidAPIKey,
    403: exceptions.NoPermission,
    404: exceptions.MissingResource,
    409: exceptions.Conflict,
    429: exceptions.TooManyRequests,
    500: exceptions.ServerError,
    502: exceptions.BadGateway,
    503: exceptions.ServiceUnavailable,
    504: exceptions.GatewayTimeout,
}

# No connection was made, so no byte of the request can have been read.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# The request itself is wrong and will be wrong again.
_OUR_MISTAKE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.StreamError)

_RETRY_IN = re.compile(r"retry-in\s+(\d+(?:\.\d+)?)\s*(ms|s)\b", re.IGNORECASE)


def error_for(status: int, headers: Mapping[str, str], body: str) -> exceptions.APIError:
    """Return the exception for an answer that is not a success; its message is the body, as in `planet` 2.14."""
    kind = _BY_STATUS.get(status, exceptions.APIError)
    if status == HTTPStatus.FORBIDDEN and "quota" in body.lower():
        kind = exceptions.OverQuota
    return kind(body.strip() or _status_line(status), status=status, headers=headers, body=body)


def retry_after_s(error: exceptions.PlanetError, now: float) -> float | None:
    """Return for how many seconds the server asked to be left alone, or None if it did not.

    Read are `Retry-After` in both forms and the `retry-in 200ms` of Planet's 429 bodies. A date counts from the
    answer's own `Date`, so that a clock that differs from the server's does no harm.

    Args:
        error: what a try ended with.
        now: seconds since the epoch, for an answer without a `Date`.
    """
    if not isinstance(error, exceptions.APIError):
        return None
    value = error.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])  # a number this long is "never" in any case
    if (until := _epoch(value)) is not None:
        return max(0.0, until - (_epoch(error.headers.get("date", "")) or now))
    if error.status == HTTPStatus.TOO_MANY_REQUESTS and (match := _RETRY_IN.search(error.body)):
        return float(match[1]) / (1000 if match[2].lower() == "ms" else 1)
    return None


@contextmanager
def typed_errors(method: str, url: str) -> Iterator[None]:
    """Turn what httpx raises inside into RequestError or ClientError; everything else passes."""
    address = without_secrets(url)
    try:
        yield
    except _OUR_MISTAKE as error:
        raise exceptions.ClientError(f"{method} {address} cannot be sent ({_cause(error)})") from error
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        reached = not isinstance(error, _NOT_SENT)
        fate = "the server may have processed it" if reached else "it did not reach the server"
        raise exceptions.RequestError(
            f"{method} {address} got no whole answer; {fate} ({_cause(error)})",
            may_have_reached=reached,
            method=method,
            url=address,
        ) from error


def _cause(error: Exception) -> str:
    return hide_queries(f"{type(error).__name__}: {error}").rstrip(": ")


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (a status without a name)"


def _epoch(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
