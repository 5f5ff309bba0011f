"""Where a file's bytes come from: a link that may expire, and what its answers promise."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from planet_sdk.decompression import can_undo, encodings_of
from planet_sdk.exceptions import APIError, LinkExpired, OverQuota, PlanetError
from planet_sdk.exchange import Call
from planet_sdk.limits import RequestKind
from planet_sdk.models import StreamingResponse
from planet_sdk.retry import retry
from planet_sdk.transfer_terms import Version

if TYPE_CHECKING:
    from planet_sdk.session import Session

T = TypeVar("T")

PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = 416
# 203: a proxy changed something on the way, as some do to every answer; size and digest are checked in any case.
WHOLE = frozenset({200, 203})

# Storage says each of these to a link that was good yesterday, 400 included (seen in the wild).
_EXPIRED = frozenset({400, 401, 403, 404, 410})
# New links in a row that were refused, too, before it is certain that another one does not help.
MAX_RENEWALS = 2

_MAX_DIGITS = 19  # of a number of bytes; Python refuses to read one of thousands
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)", re.IGNORECASE)


class Source:
    """A link, opened as often as needed, renewed when it is refused.

    Attributes:
        path: where the file goes, for messages.
        tries: how often the link was asked.
        budget: what may still be spent; one for the whole transfer.
    """

    def __init__(self, session: Session, location: str, path: Path, renew: Callable[[], Awaitable[str]] | None) -> None:
        self.path = path
        self.tries = 0
        self.budget = session.budget()
        self._session = session
        self._location = location
        self._renew = renew
        self._renewals = 0
        self._kept = AsyncExitStack()
        self._peeked: StreamingResponse | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop_peeked()

    async def peek(self) -> StreamingResponse:
        """Open the whole file, to see its headers; the answer stays open for the next `open` that wants all of it."""
        if self._peeked is None:
            self._peeked = await self._kept.enter_async_context(self._open_now({}))
        return self._peeked

    @asynccontextmanager
    async def open(self, headers: Mapping[str, str]) -> AsyncIterator[StreamingResponse]:
        """Ask once for the file, or with `Range` for a part of it.

        Raises:
            LinkExpired: the link was refused; `persist` deals with it.
            APIError, RequestError: as `Session.request`.
        """
        if self._peeked is not None and "Range" not in headers:
            answer, self._peeked = self._peeked, None
            async with self._kept.pop_all():
                yield answer
        else:
            await self._drop_peeked()
            async with self._open_now(headers) as answer:
                yield answer

    async def persist(self, attempt: Callable[[], Awaitable[T]], may_repeat: Callable[[PlanetError], bool]) -> T:
        """Return what the attempt returns, repeated within the budget, and with a new link where the old is refused."""
        while True:
            try:
                return await retry(attempt, self.budget, may_repeat)
            except LinkExpired as expired:
                await self._renew_after(expired)

    def progressed(self) -> None:
        """Start counting afresh: the file has got further than ever before."""
        self.budget.progressed()
        self._renewals = 0

    @asynccontextmanager
    async def _open_now(self, headers: Mapping[str, str]) -> AsyncIterator[StreamingResponse]:
        # Compressed bytes have no fixed places in a file, so that nothing could be continued.
        call = Call("GET", self._location, RequestKind.LINK, headers={"Accept-Encoding": "identity", **headers})
        self.tries += 1
        async with AsyncExitStack() as held:
            try:
                answer = await held.enter_async_context(self._session.open(call, self.budget))
            except APIError as error:
                if error.status not in _EXPIRED or isinstance(error, OverQuota):
                    raise
                raise LinkExpired(self.path, error.status) from error
            yield answer

    async def _renew_after(self, expired: LinkExpired) -> None:
        if self._renew is None or self._renewals >= MAX_RENEWALS:
            raise expired
        self._renewals += 1
        with self.budget.excused():  # it has a budget of its own, and may wait for Planet to activate an asset
            self._location = await self._renew()

    async def _drop_peeked(self) -> None:
        self._peeked = None
        await self._kept.aclose()


@dataclass(frozen=True, slots=True)
class Promise:
    """What an answer's headers say about its body.

    Attributes:
        start: which byte of the file the body begins with; None where a partial answer does not say.
        version: which version of the file it is of, and its whole size.
        encodings: how the body is compressed; where it is, its bytes are not the file's.
    """

    start: int | None
    version: Version
    encodings: tuple[str, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether the file's bytes can be got from the body."""
        return can_undo(self.encodings)

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> Promise:
        """Read it from an answer's headers (names in lower case, or found in any case)."""
        if encodings := encodings_of(headers):
            return cls(0 if status in WHOLE else None, Version(), encodings)
        etag, date = _sendable(headers.get("etag")), _sendable(headers.get("last-modified"))
        start, size = _range_of(headers) if status not in WHOLE else (0, _number(headers.get("content-length")))
        strong = etag if etag and etag.startswith('"') else None
        return cls(start, Version(strong, date, size))


def _range_of(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the first byte and the whole size that Content-Range names."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    return (_number(match[1]), _number(match[3])) if match else (None, None)


def _sendable(value: str | None) -> str | None:
    """Return a header's value if it can be sent back as `If-Range`."""
    return value if value and value.isascii() and value.isprintable() else None


def _number(text: str | None) -> int | None:
    return int(text) if text and len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else None
