"""What comes back from a server: whole answers, streamed ones, and lists in pages."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import httpx

from planet_sdk import streaming_body
from planet_sdk.answers import typed_errors
from planet_sdk.decompression import decompressed, encodings_of
from planet_sdk.exceptions import APIError, ClientError, PagingError
from planet_sdk.redaction import without_secrets
from planet_sdk.straight_body import StraightBody
from planet_sdk.strict_json import read_json

T = TypeVar("T")

# What an error or a message quotes of a body that is not what it should be.
EXCERPT_BYTES = 64 * 1024


class Response:
    """A whole answer."""

    def __init__(self, http_response: httpx.Response, content: bytes | None = None) -> None:
        """Wrap an answer.

        Args:
            http_response: its status and headers.
            content: its body, where that was read apart from `http_response`.
        """
        self._http_response = http_response
        self._content = content

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status_code}]>"

    @property
    def status_code(self) -> int:
        """The HTTP status code."""
        return self._http_response.status_code

    @property
    def headers(self) -> httpx.Headers:
        """The headers; names are found in any case."""
        return self._http_response.headers

    @property
    def content(self) -> bytes:
        """The body."""
        return self._http_response.content if self._content is None else self._content

    @property
    def text(self) -> str:
        """The body as text; what cannot be decoded is replaced."""
        return self.content.decode(self._charset, errors="replace")

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            APIError: the body is not JSON, as when something between here and Planet answered in its place.
        """
        try:
            return read_json(self.content)
        except ValueError as error:
            kind = self.headers.get("content-type", "no content type")
            raise APIError(
                f"the answer ({self.status_code}, {kind}, {len(self.content)} bytes) is not JSON: {error}",
                status=self.status_code,
                headers=self.headers,
                body=self.text[:EXCERPT_BYTES],
            ) from error

    @property
    def _charset(self) -> str:
        name = self._http_response.charset_encoding or "utf-8"
        try:
            b"\xff".decode(name, errors="replace")
        except (LookupError, ValueError):  # one that nobody knows, or that is none of texts
            return "utf-8"
        return name


class StreamingResponse(Response):
    """An answer whose body is read piece by piece; it holds its limiter slot until it is closed."""

    def __init__(self, http_response: httpx.Response, held: AsyncExitStack | None = None) -> None:
        """Wrap an answer that was opened for streaming.

        Args:
            http_response: the open answer.
            held: what is given back when this is closed.
        """
        super().__init__(http_response)
        self._held = held or AsyncExitStack()

    @property
    def url(self) -> str:
        """The address that answered, after redirects, with its query string: not for logs."""
        return str(self._http_response.url)

    @property
    def num_bytes_downloaded(self) -> int:
        """Bytes read from the network so far, as they were sent."""
        return self._http_response.num_bytes_downloaded

    @property
    def content(self) -> bytes:
        """Refused: the body of a stream is iterated."""
        raise ClientError("this answer is a stream: read it with aiter_bytes() or aiter_lines()")

    def whole(self, content: bytes) -> Response:
        """Return the answer with the body that was read from it."""
        return Response(self._http_response, content)

    def aiter_raw(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body as it was sent."""
        return self._iterate(self._http_response.aiter_raw())

    def straight_rest(self) -> StraightBody | None:
        """Return what is left of a long body for a thread to read: see `StraightBody.rest_of`."""
        return StraightBody.rest_of(self._http_response)

    def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body, decompressed if it was sent compressed."""
        return self._iterate(self._plain_pieces())

    def aiter_lines(self) -> AsyncGenerator[str, None]:
        """Iterate over the body's lines, without their ends."""
        return self._iterate(self._lines())

    async def aclose(self) -> None:
        """Close the answer and give its slot back; calling it again does nothing."""
        async with self._held:
            await self._http_response.aclose()

    async def _iterate(self, pieces: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        request = self._http_response.request
        with typed_errors(request.method, str(request.url)):
            async with aclosing(cast("AsyncGenerator[T, None]", pieces)):  # which is what httpx returns
                async for piece in pieces:
                    yield piece

    def _plain_pieces(self) -> AsyncGenerator[bytes, None]:
        raw = cast("AsyncGenerator[bytes, None]", self._http_response.aiter_raw())  # which is what httpx returns
        return decompressed(raw, encodings_of(self.headers))

    async def _lines(self) -> AsyncGenerator[str, None]:
        decoder = codecs.getincrementaldecoder(self._charset)(errors="replace")
        rest = ""
        async with aclosing(self._plain_pieces()) as pieces:
            async for piece in pieces:
                *lines, rest = (rest + decoder.decode(piece)).split("\n")
                for line in lines:
                    yield line.removesuffix("\r")
        if rest := rest + decoder.decode(b"", final=True):
            yield rest


class StreamingBody:
    """A streamed answer as a file that can be written."""

    def __init__(self, response: StreamingResponse) -> None:
        self._response = response

    @property
    def name(self) -> str:
        """The file's name: of the Content-Disposition, else of the address, else made up for its content type.

        It is the server's word: join it to a folder with `planet_sdk.paths.path_inside` only.
        """
        return streaming_body.name_of(self._response.url, self._response.headers)

    @property
    def size(self) -> int | None:
        """The body's size in bytes, or None where the server does not say."""
        length = self._response.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() else None

    async def write(self, filename: Path | str, overwrite: bool = True, progress_bar: bool = True) -> None:
        """Write the body to a file that appears under its name only when it is whole.

        An interrupted body leaves nothing behind. Downloads that can be continued: `planet_sdk.transfer`.

        Args:
            filename: where to write.
            overwrite: replace a file that is there; otherwise it is left as it is, and nothing is written.
            progress_bar: show a tqdm bar.

        Raises:
            TransferIncomplete: the body ended before its announced size.
            TransferError: the file cannot be written.
            RequestError: the connection broke.
        """
        chunks = self._response.aiter_bytes()
        await streaming_body.write(chunks, self._decoded_size, Path(filename), overwrite, progress_bar)

    @property
    def _decoded_size(self) -> int | None:
        return self.size if self._response.headers.get("content-encoding", "identity") == "identity" else None


class Paged:
    """The entries of a list that comes in pages, as an async iterator; pages are fetched when they are needed."""

    LINKS_KEY: ClassVar[str] = "_links"
    NEXT_KEY: ClassVar[str] = "next"
    ITEMS_KEY: ClassVar[str] = "items"

    def __init__(
        self, response: Response, request_fcn: Callable[..., Awaitable[Response]], limit: int | None = 0
    ) -> None:
        """Start from the first page.

        Args:
            response: the first page.
            request_fcn: fetches a page; called with `url` and `method`.
            limit: how many entries at most; 0 or None for all.
        """
        self.i = 0
        self.limit = limit
        self._request_fcn = request_fcn
        self._entries = self._read(response)

    def __aiter__(self) -> Paged:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self.limit and self.i >= self.limit:
            raise StopAsyncIteration
        entry = await anext(self._entries)
        self.i += 1
        return entry

    async def _read(self, response: Response) -> AsyncIterator[dict[str, Any]]:
        seen: set[str] = set()
        page = response.json()
        while True:
            for entry in self._items_of(page, response):
                yield entry
            links = page.get(self.LINKS_KEY)
            url = links.get(self.NEXT_KEY) if isinstance(links, dict) else None
            if not url:
                return
            if not isinstance(url, str):
                raise _bad_page(response, "names a next page that is no address")
            if url in seen:
                raise PagingError(f"the list's pages form a circle: {without_secrets(url)} came up again")
            seen.add(url)
            response = await self._request_fcn(url=url, method="GET")
            page = response.json()

    def _items_of(self, page: Any, response: Response) -> list[dict[str, Any]]:
        items = page.get(self.ITEMS_KEY) if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise _bad_page(response, f"has no {self.ITEMS_KEY!r}")
        return items


def _bad_page(response: Response, why: str) -> APIError:
    return APIError(
        f"a page of the list {why}",
        status=response.status_code,
        headers=response.headers,
        body=response.text[:EXCERPT_BYTES],
    )


def object_of(response: Response) -> dict[str, Any]:
    """Return the answer's JSON object, or raise APIError if it is none."""
    answer = response.json()
    if not isinstance(answer, dict):
        raise APIError(
            f"the answer is {type(answer).__name__}, not an object",
            status=response.status_code,
            headers=response.headers,
            body=response.text[:EXCERPT_BYTES],
        )
    return answer
