"""An object store over real HTTP as a destination, set up by the store's usual environment."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.destination import Destination, DestinationError, DestinationUnavailable, open_destination
from tests.integration.s3_server import S3Server

BODY = random.Random(1).randbytes(20_000_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with S3Server("orders") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        yield server


@pytest.fixture
def destination(server: S3Server) -> Destination:
    return open_destination("s3://orders/team")


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    path = tmp_path / "staged.tif"
    path.write_bytes(BODY)
    return path


async def test_a_large_file_goes_up_in_parts_and_comes_back_whole(
    server: S3Server, destination: Destination, staged: Path
) -> None:
    await destination.put_file(staged, "run/scene ü.tif")
    assert server.objects["team/run/scene ü.tif"] == BODY
    assert sum(each.startswith("PUT") for each in server.seen) == 3
    assert await destination.stat("run/scene ü.tif") == len(BODY)
    assert await destination.digest("run/scene ü.tif", "sha256") == hashlib.sha256(BODY).hexdigest()


async def test_a_failed_upload_shows_nothing_under_the_key(
    server: S3Server, destination: Destination, staged: Path
) -> None:
    """The upload has begun and some of its parts are there; the key is not."""
    server.refusals = [0, 0, 403]
    with pytest.raises(DestinationError, match=r"s3://orders/team/a\.tif cannot be used: the store refused"):
        await destination.put_file(staged, "a.tif")
    assert server.objects == {}


async def test_a_server_error_is_tried_again(server: S3Server, destination: Destination) -> None:
    server.refusals = [503, 500]
    await destination.check_writable()
    assert server.objects == {}


async def test_keys_of_a_folder_are_listed_without_its_prefix(
    server: S3Server, destination: Destination, staged: Path
) -> None:
    server.objects = {"team/run/a.tif": b"a", "team/run/b/c.tif": b"bc", "other/d.tif": b"d"}
    assert await destination.list() == {"run/a.tif": 1, "run/b/c.tif": 2}
    assert await destination.list("run/b") == {"run/b/c.tif": 2}
    assert await destination.folder("run").list() == {"a.tif": 1, "b/c.tif": 2}
    await destination.delete("run/a.tif")
    assert set(server.objects) == {"team/run/b/c.tif", "other/d.tif"}


async def test_a_bucket_that_does_not_exist_is_said_to_be_missing(server: S3Server) -> None:
    with pytest.raises(DestinationError, match="s3://none cannot be used: there is no such bucket"):
        await open_destination("s3://none").check_writable()


async def test_refused_credentials_are_said_to_be_refused(server: S3Server, destination: Destination) -> None:
    server.refusals = [403]
    with pytest.raises(DestinationError, match="the store refused the credentials or the access"):
        await destination.check_writable()


async def test_a_store_that_cannot_be_reached_may_come_back(server: S3Server) -> None:
    destination = open_destination("s3://orders", endpoint="http://127.0.0.1:1")
    with pytest.raises(DestinationUnavailable, match=r"^s3://orders/a\.tif cannot be used: [^\n]*$"):
        await destination.stat("a.tif")
