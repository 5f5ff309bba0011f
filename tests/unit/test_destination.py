"""How destinations are written, and what every kind of them keeps of the contract."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.destination import Destination, DestinationError, DestinationUnavailable, destination_url, open_destination
from jobs.destination.local import LocalDestination

BODY = b"scene" * 400_000


@pytest.fixture(params=["file", "memory"])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    return open_destination(
        str(tmp_path / "an orders folder") if request.param == "file" else f"memory://{uuid4()}/prefix"
    )


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    path = tmp_path / "staged.tif"
    path.write_bytes(BODY)
    return path


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/data/orders", "file:///data/orders"),
        ("/data/../data/x/", "file:///data/x"),
        ("/data/with space#1", "file:///data/with%20space%231"),
        ("file:///data/with%20space", "file:///data/with%20space"),
        ("FILE://localhost/data", "file:///data"),
        ("s3://bucket/prefix//deep/", "s3://bucket/prefix/deep"),
        (" gs://bucket ", "gs://bucket"),
        ("az://container/p", "az://container/p"),
        ("memory://", "memory://"),
    ],
)
def test_a_destination_has_one_canonical_url(written: str, url: str) -> None:
    assert destination_url(written) == url
    assert destination_url(url) == url


def test_a_relative_folder_is_one_of_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert destination_url("orders") == (tmp_path / "orders").as_uri()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert destination_url("~/orders") == (tmp_path / "orders").as_uri()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "must not be empty"),
        ("a\nb", "control characters"),
        ("s3:/bucket", "one slash"),
        ("ftp://host/x", "ftp:// is no destination; use a folder or one of file://, s3://, gs://, az://, memory://"),
        ("file://data/orders", "names the host 'data'"),
        ("file://", "names no folder"),
        ("s3://", "needs a name: s3://bucket/prefix"),
        ("s3://key:secret@bucket/x", "holds no credentials"),
        ("s3://bucket/../x", "'.' or '..'"),
        ("gs://bucket/x?y=1", r"no \? and no #"),
    ],
)
def test_what_is_no_destination_is_refused_with_a_reason(written: str, why: str) -> None:
    with pytest.raises(DestinationError, match=why):
        destination_url(written)


@given(st.sampled_from(["", "s3://", "file://", "memory://", "~"]), st.text(max_size=30))
def test_any_text_is_a_canonical_url_or_a_clear_error(scheme: str, text: str) -> None:
    try:
        url = destination_url(scheme + text)
    except DestinationError:
        return
    assert destination_url(url) == url


async def test_a_file_that_was_put_is_there_with_its_size_digest_and_content(
    destination: Destination, staged: Path
) -> None:
    key = "order/PSScene/scene ü.tif"
    await destination.put_file(staged, key)
    assert await destination.stat(key) == len(BODY)
    assert await destination.digest(key, "sha256") == hashlib.sha256(BODY).hexdigest()
    assert await destination.digest(key, "md5") == hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert await destination.read(key) == BODY
    assert staged.exists()  # noqa: ASYNC240 — a test may block


async def test_putting_again_replaces_the_file(destination: Destination, staged: Path) -> None:
    await destination.put_file(staged, "a.tif")
    staged.write_bytes(b"new")  # noqa: ASYNC240 — a test may block
    await destination.put_file(staged, "a.tif")
    assert await destination.read("a.tif") == b"new"
    assert await destination.list() == {"a.tif": 3}


async def test_what_is_not_there_has_no_size_and_cannot_be_read(destination: Destination) -> None:
    assert await destination.stat("none.tif") is None
    await destination.delete("none.tif")
    for reading in (destination.read("none.tif"), destination.digest("none.tif", "md5")):
        with pytest.raises(DestinationError, match=r"none\.tif (does not exist|cannot be used: No such file)"):
            await reading


async def test_a_list_holds_the_files_below_a_folder_and_no_others(destination: Destination, staged: Path) -> None:
    for key in ("a/1.tif", "a/b/2.tif", "ab/3.tif"):
        await destination.put_file(staged, key)
    assert set(await destination.list()) == {"a/1.tif", "a/b/2.tif", "ab/3.tif"}
    assert set(await destination.list("a")) == {"a/1.tif", "a/b/2.tif"}
    assert await destination.list("none") == {}
    await destination.delete("a/1.tif")
    assert set(await destination.list("a")) == {"a/b/2.tif"}


async def test_a_folder_of_a_destination_is_a_destination(destination: Destination, staged: Path) -> None:
    folder = destination.folder("run-1")
    await folder.put_file(staged, "a.tif")
    assert folder.url == f"{destination.url}/run-1"
    assert await destination.stat("run-1/a.tif") == len(BODY)
    assert await folder.list() == {"a.tif": len(BODY)}


async def test_a_read_is_bounded(destination: Destination, staged: Path) -> None:
    await destination.put_file(staged, "a.tif")
    with pytest.raises(DestinationError, match="larger than 1,000 bytes"):
        await destination.read("a.tif", limit_bytes=1000)


async def test_a_check_leaves_nothing_behind(destination: Destination) -> None:
    await destination.check_writable()
    assert await destination.list() == {}


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "a/../../b", "", ".", "a\\b", "a\0b", "C:/x"])
async def test_a_key_cannot_lead_out(destination: Destination, staged: Path, key: str) -> None:
    with pytest.raises(DestinationError, match="is no key"):
        await destination.put_file(staged, key)


async def test_a_link_inside_a_folder_cannot_lead_out(tmp_path: Path, staged: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "link").symlink_to(tmp_path)
    with pytest.raises(DestinationError, match="leads out of"):
        await open_destination(str(tmp_path / "orders")).put_file(staged, "link/x")


async def test_a_folder_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "orders").write_text("")
    with pytest.raises(DestinationError, match=r"orders cannot be used: (File exists|Not a directory)"):
        await open_destination(str(tmp_path / "orders")).check_writable()
    with pytest.raises(DestinationError, match="Not a directory"):
        await open_destination(str(tmp_path / "orders" / "deeper")).check_writable()


def test_what_may_pass_by_itself_is_told_apart_from_what_will_not(tmp_path: Path) -> None:
    """A full disk may have room later; a refusal stays one until somebody acts."""
    destination = LocalDestination(tmp_path.as_uri())
    for number, passes in ((errno.ENOSPC, True), (errno.EACCES, False), (errno.EROFS, False)):
        with pytest.raises(DestinationError, match=os.strerror(number)) as caught, destination._errors("a.tif"):
            raise OSError(number, os.strerror(number))
        assert isinstance(caught.value, DestinationUnavailable) is passes


async def test_a_missing_source_is_named_and_leaves_nothing_behind(destination: Destination, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match=r"no-source"):
        await destination.put_file(tmp_path / "no-source", "a.tif")
    assert await destination.list() == {}


async def test_many_files_at_once(destination: Destination, staged: Path) -> None:
    await asyncio.gather(*(destination.put_file(staged, f"{number}.tif") for number in range(20)))
    assert len(await destination.list()) == 20


def test_only_a_folder_is_local(tmp_path: Path) -> None:
    folder = open_destination(str(tmp_path / "a b"))
    assert folder.is_local
    assert folder.local_dir == tmp_path / "a b"
    assert not open_destination("memory://x").is_local


def test_options_that_a_store_does_not_know_are_an_error() -> None:
    with pytest.raises(DestinationError, match="s3://bucket cannot be used"):
        open_destination("s3://bucket", no_such_option="1")
