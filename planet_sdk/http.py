"""The names that are public in `planet` 2.14's module of this name."""

from __future__ import annotations

from planet_sdk.auth_session import AuthSession
from planet_sdk.exceptions import (
    BadGateway,
    GatewayTimeout,
    RequestError,
    ServerError,
    ServiceUnavailable,
    TooManyRequests,
)
from planet_sdk.limits import MAX_ACTIVE, PLANET_RATES, RequestKind
from planet_sdk.retry import RetryPolicy
from planet_sdk.session import READ_TIMEOUT_S, Session

__all__ = [
    "MAX_ACTIVE",
    "MAX_RETRIES",
    "MAX_RETRY_BACKOFF",
    "RATE_LIMIT",
    "READ_TIMEOUT",
    "RETRY_EXCEPTIONS",
    "AuthSession",
    "Session",
]

# What can be repeated; whether it is depends on the method, too: see planet_sdk.retry.
RETRY_EXCEPTIONS = [RequestError, TooManyRequests, ServerError, BadGateway, ServiceUnavailable, GatewayTimeout]
MAX_RETRIES = RetryPolicy.max_tries - 1
MAX_RETRY_BACKOFF = RetryPolicy.cap_s
READ_TIMEOUT = READ_TIMEOUT_S
RATE_LIMIT = PLANET_RATES[RequestKind.OTHER]
