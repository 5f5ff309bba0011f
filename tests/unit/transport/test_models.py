from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from planet_sdk.exceptions import APIError, ClientError, PagingError, RequestError, TransferIncomplete
from planet_sdk.models import Paged, Response, StreamingBody, StreamingResponse


class Body(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def aclose(self) -> None:
        self.is_closed = True


def streaming(body: Body, **headers: str) -> StreamingResponse:
    request = httpx.Request("GET", "https://planet.example/dir/scene.tif?token=x")
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return StreamingResponse(httpx.Response(200, headers=fields, stream=body, request=request))


def page(content: Any) -> Response:
    return Response(httpx.Response(200, json=content))


def test_an_answer_shows_its_status_headers_text_and_json() -> None:
    answer = Response(httpx.Response(201, json={"a": "ä"}))

    assert (answer.status_code, answer.json(), answer.headers["Content-Type"]) == (201, {"a": "ä"}, "application/json")
    assert repr(answer) == "<Response [201]>"
    assert Response(httpx.Response(200, content=b"\xff")).text == "\ufffd"
    assert Response(httpx.Response(200, content=b"a", headers={"Content-Type": "text/x; charset=none"})).text == "a"


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\xff", b"[" * 100_000, b"[" * 101 + b"]" * 101, b"[NaN]", b"[-Infinity]", b"9" * 5_000],
)
def test_what_is_no_json_is_an_api_error_that_names_it(content: bytes) -> None:
    answer = Response(httpx.Response(200, content=content, headers={"Content-Type": "text/html"}))

    with pytest.raises(APIError, match=r"\(200, text/html, \d+ bytes\) is not JSON") as caught:
        answer.json()
    assert caught.value.status == 200


async def test_a_stream_is_iterated_and_closed() -> None:
    body = Body(b"a\nb", b"c\n")
    answer = streaming(body)

    with pytest.raises(ClientError, match="is a stream"):
        answer.json()
    assert [line async for line in answer.aiter_lines()] == ["a", "bc"]
    await answer.aclose()
    await answer.aclose()
    assert body.is_closed


@pytest.mark.parametrize("charset", ["idna", "base64", "no\0ne", "utf-99"])
def test_a_character_set_that_is_none_does_no_harm(charset: str) -> None:
    assert (
        Response(httpx.Response(200, content=b"a", headers={"Content-Type": f"text/x; charset={charset}"})).text == "a"
    )


async def test_lines_are_whole_wherever_the_pieces_end() -> None:
    body = Body(b"a\r", b"\n\xc3", b"\xa4\xe2\x80\xa8b\n", b"\n", b"end")
    answer = streaming(body)

    assert [line async for line in answer.aiter_lines()] == ["a", "ä\u2028b", "", "end"]


async def test_a_stream_that_breaks_is_a_request_error_without_the_query() -> None:
    answer = streaming(Body(b"a", httpx.ReadError("reset")))

    with pytest.raises(RequestError) as caught:
        [chunk async for chunk in answer.aiter_bytes()]
    assert caught.value.url == "https://planet.example/dir/scene.tif"


def test_a_streamed_file_knows_its_name_and_size() -> None:
    assert StreamingBody(streaming(Body())).name == "scene.tif"
    named = StreamingBody(streaming(Body(), content_disposition='attachment; filename="a.tif"', content_length="12"))
    assert (named.name, named.size) == ("a.tif", 12)
    assert StreamingBody(streaming(Body())).size is None


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=\"plain.tif\"; filename*=UTF-8''n%C3%A4me.tif", "näme.tif"),
        ("attachment; filename*=UTF-8''n%C3%A4me.tif; filename=plain.tif", "näme.tif"),
        ("attachment; filename*0=ab; filename*1=c.tif", "abc.tif"),
        ("attachment; filename=two words.tif ; size=3", "two words.tif"),
        ('attachment; filename=""', "scene.tif"),
        ('attachment; filename="a*b;c.tif"', "a*b;c.tif"),
    ],
)
def test_a_streamed_file_has_the_best_of_the_names_that_it_is_given(header: str, name: str) -> None:
    assert StreamingBody(streaming(Body(), content_disposition=header)).name == name


async def test_a_streamed_file_appears_when_it_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    await StreamingBody(streaming(Body(b"ab", b"c"), content_length="3")).write(path)
    assert path.read_bytes() == b"abc"
    assert str(path) in capsys.readouterr().err

    await StreamingBody(streaming(Body(b"other"))).write(path, overwrite=False, progress_bar=False)
    assert path.read_bytes() == b"abc"


async def test_a_streamed_file_may_be_named_by_text(tmp_path: Path) -> None:
    await StreamingBody(streaming(Body(b"abc"))).write(str(tmp_path / "a.tif"), progress_bar=False)
    assert (tmp_path / "a.tif").read_bytes() == b"abc"


@pytest.mark.parametrize("end", [b"", httpx.ReadError("reset")])
async def test_a_streamed_file_that_breaks_leaves_nothing(end: bytes | Exception, tmp_path: Path) -> None:
    body = StreamingBody(streaming(Body(b"ab", end), content_length="3"))

    with pytest.raises((TransferIncomplete, RequestError)):
        await body.write(tmp_path / "a.tif", progress_bar=False)
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_pages_are_fetched_when_they_are_needed() -> None:
    asked: list[str] = []

    async def request(url: str, method: str) -> Response:
        asked.append(f"{method} {url}")
        return page({"_links": {}, "items": [{"id": 3}]})

    first = page({"_links": {"next": "https://planet.example/2"}, "items": [{"id": 1}, {"id": 2}]})
    paged = Paged(first, request)

    assert [await anext(paged), await anext(paged), len(asked)] == [{"id": 1}, {"id": 2}, 0]
    assert [entry async for entry in paged] == [{"id": 3}]
    assert asked == ["GET https://planet.example/2"]
    assert [entry async for entry in Paged(first, request, limit=2)] == [{"id": 1}, {"id": 2}]
    assert len(asked) == 1


async def test_an_empty_page_does_not_end_the_list() -> None:
    async def request(url: str, method: str) -> Response:
        return page({"_links": {"next": None}, "items": [{"id": 1}]})

    first = page({"_links": {"next": "https://planet.example/2"}, "items": []})

    assert [entry async for entry in Paged(first, request, limit=None)] == [{"id": 1}]


async def test_pages_in_a_circle_are_an_error() -> None:
    async def request(url: str, method: str) -> Response:
        return page({"_links": {"next": "https://planet.example/2?secret"}, "items": []})

    with pytest.raises(PagingError) as caught:
        [entry async for entry in Paged(await request("", ""), request)]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("link", [5, True, ["https://planet.example/2"], {"href": "https://planet.example/2"}])
async def test_a_next_page_that_is_no_address_is_an_api_error(link: Any) -> None:
    async def request(url: str, method: str) -> Response:
        raise AssertionError

    with pytest.raises(APIError, match="next page"):
        await anext(Paged(page({"_links": {"next": link}, "items": []}), request))


@pytest.mark.parametrize("content", [[], {}, {"items": None}, "text"])
async def test_a_page_that_is_none_is_an_api_error(content: Any) -> None:
    async def request(url: str, method: str) -> Response:
        raise AssertionError

    with pytest.raises(APIError, match="no 'items'"):
        await anext(Paged(page(content), request))
