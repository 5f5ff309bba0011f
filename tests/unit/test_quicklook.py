"""From a GeoTIFF to a small picture: what Planet delivers is seen as it is, and what is hostile is refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from worker.quicklook.picture import draw_picture, encode_png
from worker.quicklook.pixels import LONGER_EDGE_PX, read_pixels
from worker.quicklook.segments import unpack
from worker.quicklook.terms import NoPicture

_SHADES = 1000


def scene(height: int = 90, width: int = 130, bands: int = 4) -> NDArray[np.uint16]:
    """A ramp in each band, with an empty corner."""
    ramp = np.linspace(200, 3000, height * width).reshape(height, width)
    pixels = np.stack([ramp + _SHADES * band for band in range(bands)], axis=2).astype(np.uint16)
    pixels[:20, :30] = 0
    return pixels


def as_tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **{"photometric": "minisblack", "metadata": None, **options})
    return out.getvalue()


def draw(body: bytes) -> NDArray[np.uint8]:
    """The picture of a TIFF: (rows, columns, red green blue alpha)."""
    return decode_png(draw_picture(read_pixels(io.BytesIO(body))))


def decode_png(body: bytes) -> NDArray[np.uint8]:
    assert body.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(body):
        (size,), name = struct.unpack_from(">I", body, at), body[at + 4 : at + 8]
        chunks[name] = body[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", body, at + 8 + size)[0] == zlib.crc32(name + chunks[name])
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, kind) == (8, 6)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * 4)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 4)


LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"planarconfig": "contig", "rowsperstrip": 16},
    "one strip": {"planarconfig": "contig", "rowsperstrip": 1000},
    "tiles": {"planarconfig": "contig", "tile": (32, 48)},
    "deflate": {"planarconfig": "contig", "compression": "zlib", "rowsperstrip": 16},
    "deflate, differences": {"planarconfig": "contig", "compression": "zlib", "predictor": True, "tile": (32, 48)},
    "big endian": {"planarconfig": "contig", "byteorder": ">", "compression": "zlib", "predictor": True},
    "BigTIFF": {"planarconfig": "contig", "bigtiff": True},
}


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_shows_the_same_picture(options: dict[str, Any]) -> None:
    expected = draw(as_tiff(scene(), planarconfig="contig"))

    assert (draw(as_tiff(scene(), **options)) == expected).all()


def test_bands_that_lie_apart_show_the_same_picture() -> None:
    apart = as_tiff(np.moveaxis(scene(), 2, 0), planarconfig="separate", compression="zlib", rowsperstrip=16)

    assert (draw(apart) == draw(as_tiff(scene(), planarconfig="contig"))).all()


@pytest.mark.parametrize(
    ("bands", "seen"), [(1, (0, 0, 0)), (3, (0, 1, 2)), (4, (2, 1, 0)), (5, (2, 1, 0)), (8, (5, 3, 1))]
)
def test_red_green_and_blue_are_the_bands_that_planet_means(bands: int, seen: tuple[int, ...]) -> None:
    """The one band that is bright on the left is the one that shows as red, green or blue there."""
    for colour, band in enumerate(seen):
        pixels = np.full((10, 40, bands), 500, np.uint16)
        pixels[:, 20:, :] = 1500
        pixels[:, :, band] = pixels[:, ::-1, band]

        picture = draw(
            as_tiff(pixels if bands > 1 else pixels[..., 0], **({"planarconfig": "contig"} if bands > 1 else {}))
        )

        assert picture[5, 5, colour] == 255
        assert picture[5, 35, colour] == 0
        others = [other for other in range(3) if seen[other] != band]
        assert not picture[5, 5, others].any()


def test_colours_for_the_eye_are_shown_as_they_are() -> None:
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[:, :5] = (10, 120, 250, 255)

    picture = draw(as_tiff(pixels, photometric="rgb", extrasamples=["unassalpha"]))

    assert picture[3, 3].tolist() == [10, 120, 250, 255]
    assert picture[3, 8].tolist() == [0, 0, 0, 0]


def test_what_holds_nothing_is_transparent() -> None:
    picture = draw(as_tiff(scene(), planarconfig="contig"))

    assert not picture[:20, :30, 3].any()
    assert (picture[20:, :, 3] == 255).all()


def test_the_value_for_nothing_may_be_another_and_no_number_is_none() -> None:
    pixels = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    pixels[:5], pixels[5:7] = -9999, np.nan
    body = as_tiff(pixels, extratags=[(42_113, 2, 6, "-9999", True)])

    picture = draw(body)

    assert not picture[:7, :, 3].any()
    assert (picture[7:, :, 3] == 255).all()


def test_a_large_picture_is_thinned_out_and_an_overview_is_used() -> None:
    large = scene(700, 2000)
    overview = np.full((350, 1000, 4), 700, np.uint16)
    overview[:, 500:] = 2500
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(large, photometric="minisblack", planarconfig="contig", metadata=None)
        writer.write(overview, photometric="minisblack", planarconfig="contig", metadata=None, subfiletype=1)

    assert draw(as_tiff(large, planarconfig="contig", rowsperstrip=7)).shape == (175, 500, 4)
    picture = draw(out.getvalue())
    assert picture.shape == (175, 500, 4)
    assert np.unique(picture[..., 0]).tolist() == [0, 255]
    assert max(picture.shape) <= LONGER_EDGE_PX


def test_the_corners_of_a_thinned_picture_stay_where_they_were() -> None:
    pixels = np.full((1300, 1300), 100, np.uint16)
    pixels[:650, 650:] = 900

    for options in ({"rowsperstrip": 11}, {"tile": (64, 80), "compression": "zlib"}, {"compression": "zlib"}):
        picture = draw(as_tiff(pixels, **options))
        corners = [picture[0, 0, 0], picture[0, -1, 0], picture[-1, 0, 0], picture[-1, -1, 0]]
        assert corners == [0, 255, 0, 0]


# LZW is what most GeoTIFFs come in. This encoder follows the TIFF specification; nothing here can be asked to write it.


def lzw(plain: bytes) -> bytes:
    codes = list(_lzw_codes(plain))
    bits = "".join(f"{code:0{width}b}" for code, width in codes)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _lzw_codes(plain: bytes) -> Iterator[tuple[int, int]]:
    table: dict[bytes, int] = {}

    def width() -> int:
        return max(9, (len(table) + 258).bit_length()) if len(table) + 258 < 4095 else 12

    def code_of(word: bytes) -> int:
        return word[0] if len(word) == 1 else table[word]

    yield 256, 9
    word = b""
    for value in plain:
        longer = word + bytes([value])
        if len(longer) == 1 or longer in table:
            word = longer
            continue
        yield code_of(word), width()
        table[longer] = 258 + len(table)
        if len(table) + 258 == 4095:
            yield 256, 12
            table.clear()
        word = bytes([value])
    if word:
        yield code_of(word), width()
        table[b"end"] = 0
    yield 257, width()


@pytest.mark.parametrize(
    "plain",
    [
        b"a",
        b"-----A---B",
        bytes(range(256)) * 40,
        b"\0" * 100_000,
        np.random.default_rng(4).bytes(50_000),
        scene(60, 60).tobytes(),
    ],
    ids=["one", "the specification's own", "all bytes", "zeros", "noise", "a scene"],
)
def test_lzw_is_unpacked(plain: bytes) -> None:
    assert unpack(5, lzw(plain), len(plain)) == plain
    assert unpack(5, lzw(plain), 1) == plain[:1]


def test_the_example_of_the_tiff_specification_is_unpacked() -> None:
    codes = [256, 7, 258, 8, 8, 258, 6, 6, 257]
    bits = "".join(f"{code:09b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    packed = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))

    assert unpack(5, packed, 10) == bytes([7, 7, 7, 8, 8, 7, 7, 6, 6, 0])


def test_runs_of_bytes_are_unpacked() -> None:
    packed = bytes.fromhex("FEAA028000 2AFDAA0380002A22F7AA".replace(" ", ""))

    plain = bytes.fromhex("AAAAAA80002AAAAAAAAA80002A22" + "AA" * 10)
    assert unpack(32_773, packed, len(plain)) == plain


def test_no_more_is_unpacked_than_there_are_pixels() -> None:
    bomb = zlib.compress(b"\0" * 50_000_000)

    assert unpack(8, bomb, 1000) == b"\0" * 1000


def test_what_is_cut_off_counts_as_empty() -> None:
    body = as_tiff(scene(), planarconfig="contig", compression="zlib", rowsperstrip=16)
    picture = draw(body[:-500])

    assert picture[..., 3].any()


@pytest.mark.parametrize(
    ("pixels", "options", "why"),
    [
        (np.zeros((20, 20), np.uint16), {}, "all of its pixels are empty"),
        (np.ones((20, 20), np.complex64), {}, "of a kind that is not read here"),
        (np.ones((20, 20), np.float64), {}, "of a kind that is not read here"),
        (np.ones((20, 20), np.uint16), {"compression": "lzma"}, "packed in a way that is not read here (LZMA)"),
    ],
)
def test_what_cannot_be_shown_says_why(pixels: NDArray[Any], options: dict[str, Any], why: str) -> None:
    with pytest.raises(NoPicture, match=why.replace("(", r"\(").replace(")", r"\)")):
        draw(as_tiff(pixels, **options))


def test_a_size_that_would_take_for_ever_is_refused_before_anything_is_read() -> None:
    """Forty bytes may claim any number of pixels."""
    claims = {256: 60_000, 257: 60_000, 258: 16, 259: 8, 262: 1, 277: 1, 278: 60_000, 273: 8, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(claims.items()))
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(claims)) + entries + struct.pack("<I", 0)

    with pytest.raises(NoPicture, match="too large to be unpacked"):
        draw(body)


def test_a_picture_is_a_png_that_others_read() -> None:
    picture = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)

    assert (decode_png(encode_png(picture)) == picture).all()
