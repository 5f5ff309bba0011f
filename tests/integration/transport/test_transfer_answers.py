"""Answers that say too little about the file: nothing is taken on trust, and nothing that is right is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from planet_sdk.exceptions import APIError, FileConflict, TransferError
from planet_sdk.session import Session
from planet_sdk.transfer import transfer
from tests.integration.transport.conftest import lying, scene
from tests.integration.transport.origin import Behaviour, Origin

SCENE = scene()
GZIPPED = Behaviour(headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("sent", "how"), [(SCENE, Behaviour(chunked=True)), (gzip.compress(SCENE), GZIPPED)], ids=["chunked", "gzip"]
)
async def test_a_file_of_unannounced_size_may_be_asked_for_twice(
    sent: bytes, how: Behaviour, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    """What lies there is compared with what comes: the same is fine, and anything else stays as it is."""
    path = tmp_path / "scene.tif"
    storage.files["/scene.tif"] = sent
    storage.always["/scene.tif"] = how

    first, second = [await transfer(session, link, path) for _ in range(2)]
    assert (first.was_there, second.was_there) == (False, True)

    path.write_bytes(SCENE[:-1] + b"x")
    with pytest.raises(FileConflict, match="another file"):
        await transfer(session, link, path)
    assert path.read_bytes() == SCENE[:-1] + b"x"
    assert lying(tmp_path) == {"scene.tif": 1_000}

    await transfer(session, link, path, overwrite=True)
    assert path.read_bytes() == SCENE


async def test_a_piece_of_a_file_of_unknown_size_is_not_taken_for_the_file(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(status=206, headers={"Content-Range": "bytes 0-3/*"}, body=SCENE[:4])

    with pytest.raises(TransferError, match="other bytes"):
        await transfer(session, link, tmp_path / "scene.tif")
    assert lying(tmp_path) == {}


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "x-gzip"])
async def test_a_body_in_an_encoding_that_is_not_undone_is_not_taken_for_the_file(
    encoding: str, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(headers={"Content-Encoding": encoding})

    with pytest.raises(APIError, match="encoded as"):
        await transfer(session, link, tmp_path / "scene.tif")
    assert lying(tmp_path) == {}
