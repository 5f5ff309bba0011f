"""Everything this package raises.

    PlanetError
    ├── APIError                    the server answered, and its answer was an error: status, headers, body
    │   ├── BadQuery                400
    │   ├── InvalidAPIKey           401
    │   ├── NoPermission            403 (also: over quota)
    │   │   └── OverQuota           403 whose body says so
    │   ├── MissingResource         404
    │   ├── Conflict                409
    │   ├── TooManyRequests         429
    │   ├── ServerError             500
    │   ├── BadGateway              502
    │   ├── ServiceUnavailable      503
    │   ├── GatewayTimeout          504
    │   └── InvalidIdentity         kept for code that catches it
    └── ClientError                 it went wrong on this side, or on the way
        ├── AuthException           no usable credentials
        │   └── APIKeyAuthException an empty API key
        ├── PagingError             a list that links to itself
        ├── GeoJSONError            not the geometry that was asked for
        ├── FeatureError            not a feature reference
        ├── SpecificationException  a value that Planet does not offer (with the ones it does)
        ├── NoMatchException        a name without a match in the specification
        ├── FetchBundlesSpecError   kept for code that catches it; the specification is part of this package
        ├── SessionClosed           used after aclose()
        ├── RequestError            no answer came: says whether the request can have reached the server
        ├── AnswerTooLarge          the answer is longer than anything that is read of one
        ├── UnsafeLink              a server named an address that is not gone to: plain http, a private network
        ├── ChecksumMismatch        files on disk are not those of the manifest
        └── TransferError           one file did not arrive
            ├── TransferIncomplete  the body ended early; the part file is kept
            ├── TransferCorrupt     the whole body came, and its size or digest is wrong
            ├── TransferBusy        another transfer is writing the same file
            ├── FileConflict        another file lies under the final name
            ├── LinkExpired         the download link is no longer honoured
            └── UnsafeName          the server named a file outside the folder

`planet` 2.14 lets httpx's errors, ValueError and a few of its own escape its tree; here nothing does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planet_sdk.redaction import without_secrets

__all__ = [
    "APIError",
    "APIKeyAuthException",
    "AnswerTooLarge",
    "AuthException",
    "BadGateway",
    "BadQuery",
    "ChecksumMismatch",
    "ClientError",
    "Conflict",
    "FeatureError",
    "FetchBundlesSpecError",
    "FileConflict",
    "GatewayTimeout",
    "GeoJSONError",
    "InvalidAPIKey",
    "InvalidIdentity",
    "LinkExpired",
    "MissingResource",
    "NoMatchException",
    "NoPermission",
    "OverQuota",
    "PagingError",
    "PlanetError",
    "RequestError",
    "ServerError",
    "ServiceUnavailable",
    "SessionClosed",
    "SpecificationException",
    "TooManyRequests",
    "TransferBusy",
    "TransferCorrupt",
    "TransferError",
    "TransferIncomplete",
    "UnsafeLink",
    "UnsafeName",
]

_MAX_URL_LENGTH = 500  # of an address in a message: a hostile one may fill a page


class PlanetError(Exception):
    """The root of everything this package raises; can be pickled with its data, and so cross processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how it is made again: without the constructor, which takes other arguments than `args`."""
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[PlanetError], args: tuple[object, ...], state: dict[str, object]) -> PlanetError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class APIError(PlanetError):
    """The server's answer was an error.

    Attributes:
        status: the HTTP status code, or None where code outside this package made the error.
        headers: the response headers, by lower-case name.
        body: the response body as text.
    """

    def __init__(
        self, message: str = "", *, status: int | None = None, headers: Mapping[str, str] | None = None, body: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.body = body


class BadQuery(APIError):
    """400: the request is wrong, and will be wrong again."""


class InvalidAPIKey(APIError):
    """401: Planet does not know this key."""


class NoPermission(APIError):
    """403: the key may not do this. Planet also answers so when the quota is used up."""


class OverQuota(NoPermission):
    """403 with a body that names the quota."""


class MissingResource(APIError):
    """404: not there, or of another account."""


class Conflict(APIError):
    """409: not possible in the present state."""


class TooManyRequests(APIError):
    """429: refused before it was processed; may be sent again after a pause."""


class ServerError(APIError):
    """500: whether the request was processed is not known."""


class BadGateway(APIError):
    """502: whether the request was processed is not known."""


class ServiceUnavailable(APIError):
    """503: maintenance or load."""


class GatewayTimeout(APIError):
    """504: too slow; whether the request was processed is not known."""


class InvalidIdentity(APIError):
    """Never raised; `planet` 2.14 has it."""


class ClientError(PlanetError):
    """It went wrong on this side, or on the way to the server."""


class AuthException(ClientError):
    """There are no usable credentials."""


class APIKeyAuthException(AuthException):
    """The API key is empty."""


class PagingError(ClientError):
    """A page names itself as the next one."""


class GeoJSONError(ClientError):
    """The GeoJSON is not what was asked for."""


class FeatureError(ClientError):
    """The feature reference is not one."""


class SpecificationException(ClientError):
    """Planet does not offer the value.

    Attributes:
        value: what was asked for.
        supported: what Planet offers instead.
        field_name: the field of the request.
    """

    def __init__(self, value: object, supported: Iterable[str], field_name: str) -> None:
        self.value, self.supported, self.field_name = value, list(supported), field_name
        self.opts = ", ".join(f"'{option}'" for option in self.supported)
        close = difflib.get_close_matches(str(value).lower(), [option.lower() for option in self.supported])
        likely = [option for option in self.supported if option.lower() in close]
        hint = f" Did you mean {' or '.join(repr(option) for option in likely)}?" if likely else ""
        super().__init__(f"{field_name} - '{value}' is not one of {self.opts or 'the values offered'}.{hint}")


class NoMatchException(ClientError):
    """The specification has nothing of that name."""


class FetchBundlesSpecError(ClientError):
    """Never raised: the bundle specification is part of this package."""


class SessionClosed(ClientError):
    """The Session was used after aclose()."""


class RequestError(ClientError):
    """No answer came.

    Attributes:
        may_have_reached: True if the server can have processed the request (a read timeout, a reset after sending),
            False if it cannot (no connection was made). A POST that may have reached the server must be looked up
            before it is sent again.
        method: the HTTP method.
        url: the address without its query string.
    """

    def __init__(self, message: str, *, may_have_reached: bool, method: str = "", url: str = "") -> None:
        super().__init__(message)
        self.may_have_reached = may_have_reached
        self.method = method
        self.url = url


class AnswerTooLarge(ClientError):
    """The answer is longer than anything that is read of one, or is made to fill the memory or the disk."""


class UnsafeLink(ClientError):
    """A link, a redirect or a next page leads where no answer of Planet's may lead; nothing was sent there.

    Attributes:
        url: the address without its query string.
        why: what is wrong with it.
    """

    def __init__(self, url: str, why: str) -> None:
        self.url, self.why = without_secrets(url)[:_MAX_URL_LENGTH], why
        super().__init__(f"refused the address {self.url!r}: {why}")


class ChecksumMismatch(ClientError):
    """Files on disk are not those of the manifest.

    Attributes:
        problems: one line per file: its path and what is wrong with it.
    """

    def __init__(self, message: str, problems: list[str] | None = None) -> None:
        super().__init__(message)
        self.problems = problems or []


class TransferError(ClientError):
    """One file did not arrive; what did arrive is kept in its part file where it can be continued.

    Attributes:
        path: the file's final path.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class TransferIncomplete(TransferError):
    """The server stopped before the file was whole; the part file is kept.

    Attributes:
        got: bytes in the part file.
        expected: bytes of the whole file, or None where the server did not say.
    """

    def __init__(self, path: Path, got: int, expected: int | None) -> None:
        total = "an unknown number of" if expected is None else f"{expected:,}"
        super().__init__(f"{path.name}: {got:,} of {total} bytes arrived; call again to continue", path)
        self.got, self.expected = got, expected


class TransferCorrupt(TransferError):
    """The whole body came, and it is not the file that was promised; the part file is removed.

    Attributes:
        what: "size", "md5" or "sha256".
        got: what came.
        expected: what was promised.
    """

    def __init__(self, path: Path, what: str, got: str | int, expected: str | int) -> None:
        super().__init__(f"{path.name}: its {what} is {got}, not {expected}; call again to fetch it anew", path)
        self.what, self.got, self.expected = what, got, expected


class TransferBusy(TransferError):
    """Another transfer, perhaps of another process, is writing the same file."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: another transfer is writing this file; wait for it, or choose another folder", path)


class FileConflict(TransferError):
    """A file that is not the one asked for lies under the final name, and overwriting was not allowed."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}; pass overwrite=True to replace it, or choose another folder", path)


class LinkExpired(TransferError):
    """The download link is no longer honoured; read the order again for a new one.

    Attributes:
        status: the HTTP status of the refusal.
    """

    def __init__(self, path: Path, status: int) -> None:
        super().__init__(
            f"{path.name}: the link was refused ({status}); read the order, or the asset, again for a new one", path
        )
        self.status = status


class UnsafeName(TransferError):
    """The server named a file that would lie outside the folder, or that no file can have."""

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__(f"refused the file name {name!r}: it does not stay inside {directory}", directory)
        self.name = name
