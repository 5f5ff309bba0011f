from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncGenerator

import httpx
import pytest

from planet_sdk.decompression import PIECE_BYTES, decompressed
from planet_sdk.exceptions import AnswerTooLarge, ClientError

TEXT = b"".join(b"%d," % number for number in range(200_000))
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
MIB = 1024 * 1024


async def sent(body: bytes, piece_bytes: int) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), piece_bytes):
        yield body[start : start + piece_bytes]


async def drain(pieces: AsyncGenerator[bytes, None], sizes: list[int]) -> None:
    while piece := await anext(pieces, b""):
        sizes.append(len(piece))


@pytest.mark.parametrize("piece_bytes", [1_000, 65_536, 10 * MIB])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", RAW.compress(TEXT) + RAW.flush()),
        ("gzip", gzip.compress(bytes(8 * MIB))),
        ("gzip", b""),
    ],
    ids=["gzip", "deflate", "raw deflate", "zeros", "nothing"],
)
async def test_a_body_is_what_it_was_and_comes_in_bounded_pieces(encoding: str, body: bytes, piece_bytes: int) -> None:
    pieces = [piece async for piece in decompressed(sent(body, piece_bytes), (encoding,))]

    whole = b"".join(pieces)
    assert whole in {TEXT, bytes(8 * MIB), b""}
    assert bool(whole) == bool(body)
    assert all(len(piece) <= PIECE_BYTES for piece in pieces)


async def test_a_body_that_was_not_compressed_passes_as_it_is() -> None:
    assert [piece async for piece in decompressed(sent(b"abc", 2), ())] == [b"ab", b"c"]


async def test_a_bomb_is_refused_by_name_before_it_is_large() -> None:
    """No more of it is made than a body may grow to in any case."""
    bomb = gzip.compress(bytes(128 * MIB))
    sizes: list[int] = []

    with pytest.raises(AnswerTooLarge, match="no honest body"):
        await drain(decompressed(sent(bomb, 65_536), ("gzip",)), sizes)
    assert 0 < sum(sizes) <= 64 * MIB


@pytest.mark.parametrize("body", [gzip.compress(TEXT)[:-9], b"no gzip at all", gzip.compress(TEXT)[:5_000] + b"x" * 99])
async def test_a_damaged_body_is_an_error_and_not_a_shorter_one(body: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        [piece async for piece in decompressed(sent(body, 1_000), ("gzip",))]


@pytest.mark.parametrize("encodings", [("br",), ("gzip", "br"), ("gzip", "gzip"), ("zstd",)])
async def test_what_nobody_asked_for_is_not_undone(encodings: tuple[str, ...]) -> None:
    with pytest.raises(ClientError, match="which nobody asked for"):
        [piece async for piece in decompressed(sent(b"x", 1), encodings)]
