"""What `planet` 2.14 does wrong with files, and what a file's way is here."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from planet_sdk.auth import Auth
from planet_sdk.exceptions import (
    APIError,
    FileConflict,
    LinkExpired,
    OverQuota,
    ServiceUnavailable,
    TransferBusy,
    TransferCorrupt,
    TransferError,
    TransferIncomplete,
    UnsafeName,
)
from planet_sdk.limits import LocalLimiter, RequestKind, Turn
from planet_sdk.session import Session
from planet_sdk.transfer import Expected, transfer, transfer_named_by_server
from tests.integration.transport.conftest import TOKEN, Time, lying, scene
from tests.integration.transport.origin import Behaviour, Origin
from tests.waiting import until

SCENE = scene()
PROMISED = Expected(len(SCENE), hashlib.sha256(SCENE).hexdigest())


async def test_a_cut_body_is_retried_and_never_lies_under_its_final_name(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    path = tmp_path / "scene.tif"
    storage.then("/scene.tif", Behaviour(cut_after=400), Behaviour(cut_after=100))

    moments = []
    await transfer(session, link, path, progress=lambda here, whole: moments.append((here, whole, path.exists())))

    assert path.read_bytes() == SCENE
    assert storage.ranges("/scene.tif") == [None, "bytes=400-", "bytes=500-"]
    assert moments == [(400, 1_000, False), (500, 1_000, False), (1_000, 1_000, False)]
    assert lying(tmp_path) == {"scene.tif": 1_000}


async def test_a_body_that_is_always_cut_at_the_same_byte_ends_as_incomplete_and_is_kept(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=400), *[Behaviour(cut_after=0)] * 5)

    with pytest.raises(TransferIncomplete) as caught:
        await transfer(session, link, tmp_path / "scene.tif")
    assert (caught.value.got, caught.value.expected) == (400, 1_000)
    assert storage.count("/scene.tif") == 6
    assert lying(tmp_path).keys() == {"scene.tif.part", "scene.tif.part.json"}

    again = await transfer(session, link, tmp_path / "scene.tif")
    assert again.fetched_bytes == 600


async def test_a_transfer_that_gets_further_does_not_run_out_of_tries(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", *[Behaviour(cut_after=10)] * 50)

    done = await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    assert (done.tries, done.fetched_bytes) == (51, 1_000)


async def test_a_stump_that_lies_there_is_not_returned_as_success(session: Session, link: str, tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(SCENE[:400])

    with pytest.raises(FileConflict, match="400 bytes lies there, and 1,000"):
        await transfer(session, link, path)
    with pytest.raises(FileConflict):
        await transfer(session, link, path, expected=PROMISED)
    assert path.read_bytes() == SCENE[:400]

    await transfer(session, link, path, expected=PROMISED, overwrite=True)
    assert path.read_bytes() == SCENE


async def test_a_file_that_is_there_and_right_costs_no_request(
    session: Session, api: Origin, link: str, tmp_path: Path
) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(SCENE)

    done = await transfer(session, link, path, expected=PROMISED)

    assert done.was_there
    assert (done.fetched_bytes, done.tries, api.seen) == (0, 0, [])


@pytest.mark.parametrize("content", [b"", SCENE])
async def test_progress_ends_with_the_whole_file_also_where_nothing_is_fetched(
    content: bytes, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.files["/scene.tif"] = content
    told: list[tuple[int, int | None]] = []
    for _ in range(2):
        await transfer(session, link, tmp_path / "scene.tif", progress=lambda here, whole: told.append((here, whole)))

    assert told == [(len(content), len(content))] * 2


async def test_a_file_of_the_same_size_with_other_bytes_is_a_conflict(
    session: Session, link: str, tmp_path: Path
) -> None:
    (tmp_path / "scene.tif").write_bytes(bytes(1_000))

    with pytest.raises(FileConflict, match="another sha256"):
        await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)


async def test_a_content_disposition_that_leads_out_of_the_folder_is_refused(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    folder = tmp_path / "one" / "two"
    storage.always["/scene.tif"] = Behaviour(
        headers={"Content-Disposition": 'attachment; filename="../../evil.txt"'}, etag=None
    )

    with pytest.raises(UnsafeName):
        await transfer_named_by_server(session, link, folder)
    assert lying(tmp_path) == {}
    assert storage.count("/scene.tif") == 1


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="a b.tif"', "a b.tif"),
        ("attachment; filename=plain.tif; size=3", "plain.tif"),
        ("attachment; filename*=UTF-8''%C3%A4.tif", "ä.tif"),
        (None, "scene.tif"),
    ],
)
async def test_a_file_is_named_by_the_server(
    disposition: str | None, name: str, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(headers={"Content-Disposition": disposition} if disposition else {})

    done = await transfer_named_by_server(session, link, tmp_path)

    assert done.path == tmp_path / name
    assert done.path.read_bytes() == SCENE
    assert storage.count("/scene.tif") == 1, "the answer that gave the name also gives the bytes"


async def test_a_part_file_is_continued_under_the_name_the_server_gives(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=400), *[Behaviour(cut_after=0)] * 5)
    with pytest.raises(TransferIncomplete):
        await transfer_named_by_server(session, link, tmp_path)

    done = await transfer_named_by_server(session, link, tmp_path)

    assert done.path.read_bytes() == SCENE
    assert storage.ranges("/scene.tif")[-1] == "bytes=400-"


async def test_a_reply_without_content_length_is_written_whole(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(chunked=True)

    done = await transfer(session, link, tmp_path / "scene.tif")

    assert done.path.read_bytes() == SCENE


async def test_an_empty_file_is_a_file(session: Session, storage: Origin, link: str, tmp_path: Path) -> None:
    storage.files["/scene.tif"] = b""

    done = await transfer(session, link, tmp_path / "deep" / "er" / "scene.tif", expected=Expected(0))

    assert (done.path.read_bytes(), lying(done.path.parent)) == (b"", {"scene.tif": 0})


async def test_a_body_longer_than_promised_is_refused_while_it_streams(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(chunked=True, extra=b"x" * 500_000)

    with pytest.raises(TransferCorrupt) as caught:
        await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    assert caught.value.what == "size"
    assert lying(tmp_path) == {}


async def test_a_corrupt_body_is_fetched_anew(session: Session, storage: Origin, link: str, tmp_path: Path) -> None:
    storage.then("/scene.tif", Behaviour(corrupt=True))

    done = await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    assert (done.tries, done.sha256, done.path.read_bytes()) == (2, PROMISED.sha256, SCENE)


async def test_a_body_that_stays_corrupt_is_given_up_and_removed(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(corrupt=True)

    with pytest.raises(TransferCorrupt) as caught:
        await transfer(session, link, tmp_path / "scene.tif", expected=Expected(md5=hashlib.md5(SCENE).hexdigest()))

    assert (caught.value.what, storage.count("/scene.tif"), lying(tmp_path)) == ("md5", 3, {})


async def test_another_size_than_expected_is_found_before_the_body_is_read(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(stall_after=0)

    with pytest.raises(TransferCorrupt, match="size is 1000, not 999"):
        await transfer(session, link, tmp_path / "scene.tif", expected=Expected(999))


async def test_a_file_that_changed_at_its_origin_is_started_over(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    """If-Range makes the server send the whole new file; no byte of the old one is in the result."""
    storage.then("/scene.tif", Behaviour(cut_after=400), *[Behaviour(cut_after=0)] * 5)
    with pytest.raises(TransferIncomplete):
        await transfer(session, link, tmp_path / "scene.tif")
    storage.files["/scene.tif"] = SCENE[::-1]

    done = await transfer(session, link, tmp_path / "scene.tif")

    assert done.path.read_bytes() == SCENE[::-1]


@pytest.mark.parametrize(
    "mistake",
    [
        Behaviour(content_range="bytes 0-999/1000"),
        Behaviour(content_range="bytes 400-999/5000"),
        Behaviour(content_range="bytes nonsense"),
        Behaviour(etag='"another"', headers={"If-Range": "ignored"}),
        Behaviour(ranges=False),
        Behaviour(status=416, headers={"Content-Range": "bytes */400000"}),
    ],
    ids=["other start", "other size", "nonsense", "other version", "no ranges", "416"],
)
async def test_what_is_not_the_continuation_is_not_appended(
    mistake: Behaviour, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=400), mistake)

    done = await transfer(session, link, tmp_path / "scene.tif")

    assert done.path.read_bytes() == SCENE


async def test_without_a_validator_only_a_digest_allows_to_continue(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(etag=None)
    cut = Behaviour(etag=None, cut_after=400)
    storage.then("/scene.tif", cut)
    await transfer(session, link, tmp_path / "unproven.tif")
    storage.then("/scene.tif", cut)
    await transfer(session, link, tmp_path / "proven.tif", expected=PROMISED)

    assert storage.ranges("/scene.tif") == [None, None, None, "bytes=400-"]


async def test_a_date_is_a_validator_where_there_is_no_strong_etag(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    dated = {"Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT", "ETag": 'W/"weak"'}
    storage.always["/scene.tif"] = Behaviour(etag=None, headers=dated)
    storage.then("/scene.tif", Behaviour(etag=None, headers=dated, cut_after=400))

    await transfer(session, link, tmp_path / "scene.tif")

    assert storage.ranges("/scene.tif") == [None, "bytes=400-"]
    assert storage.seen[-1].headers["if-range"] == dated["Last-Modified"]


async def test_an_etag_that_cannot_be_sent_back_is_no_validator(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(etag='"\xe9"', cut_after=400))

    done = await transfer(session, link, tmp_path / "scene.tif")

    assert done.path.read_bytes() == SCENE
    assert storage.ranges("/scene.tif") == [None, None]


async def test_a_compressed_body_is_stored_as_the_file_and_not_continued(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    """Compressed although nobody asked for it: its bytes are not the file's, so their places mean nothing."""
    storage.files["/scene.tif"] = gzip.compress(SCENE)
    encoded = {"Content-Encoding": "gzip"}
    storage.always["/scene.tif"] = Behaviour(headers=encoded)
    storage.then("/scene.tif", Behaviour(headers=encoded, cut_after=200))

    done = await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    assert done.path.read_bytes() == SCENE
    assert {seen.headers["accept-encoding"] for seen in storage.seen} == {"identity"}


@pytest.mark.parametrize("status", [202, 204])
async def test_an_answer_without_a_file_is_not_taken_for_one(
    status: int, session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(status=status)

    with pytest.raises(APIError, match="is no file"):
        await transfer(session, link, tmp_path / "scene.tif")
    assert lying(tmp_path) == {}


async def test_a_used_up_quota_is_not_taken_for_an_expired_link(
    session: Session, api: Origin, link: str, tmp_path: Path
) -> None:
    api.always["/download/"] = Behaviour(status=403, body=b"quota exceeded")

    with pytest.raises(OverQuota):
        await transfer(session, link, tmp_path / "scene.tif", renew=lambda: pytest.fail("asked for a new link"))


async def test_what_a_failed_renewal_raises_is_raised(session: Session, api: Origin, link: str, tmp_path: Path) -> None:
    """A renewal has retries of its own; a loop around a loop would multiply them."""
    api.always["/download/"] = Behaviour(status=410)
    asked = []

    async def renew() -> str:
        asked.append(True)
        raise ServiceUnavailable(status=503)

    with pytest.raises(ServiceUnavailable):
        await transfer(session, link, tmp_path / "scene.tif", renew=renew)
    assert len(asked) == 1


async def test_the_time_that_a_renewal_takes_is_not_the_storages(
    session: Session, storage: Origin, link: str, time: Time, tmp_path: Path
) -> None:
    """Planet may need minutes to activate an asset again; what storage does after that is still tried again."""
    storage.then("/scene.tif", Behaviour(status=410), Behaviour(status=503))

    async def renew() -> str:
        await time.sleep(2 * time.policy.max_elapsed_s)
        return link

    done = await transfer(session, link, tmp_path / "scene.tif", renew=renew)

    assert done.path.read_bytes() == SCENE
    assert storage.count("/scene.tif") == 3


async def test_a_folder_under_the_final_name_is_found_before_anything_is_fetched(
    session: Session, api: Origin, link: str, tmp_path: Path
) -> None:
    (tmp_path / "scene.tif").mkdir()

    with pytest.raises(FileConflict):
        await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)
    with pytest.raises(TransferError, match="Is a directory"):
        await transfer(session, link, tmp_path / "scene.tif", overwrite=True)
    assert api.seen == []


async def test_a_file_straight_from_the_api_is_read_in_a_place_for_bodies(
    api: Origin, time: Time, tmp_path: Path
) -> None:
    api.files["/direct.tif"] = SCENE
    kinds: list[RequestKind] = []

    class Noting(LocalLimiter):
        def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
            kinds.append(kind)
            return super().slot(kind)

    async with Session(Auth.from_key("key"), base_url=api.url, limiter=Noting({}), retry=time.policy) as session:
        await transfer(session, f"{api.url}/direct.tif", tmp_path / "direct.tif")
    assert kinds == [RequestKind.LINK, RequestKind.BODY]


async def test_a_part_that_was_whole_already_is_only_finished(
    session: Session, storage: Origin, api: Origin, link: str, tmp_path: Path
) -> None:
    """A kill between the last byte and the rename costs nothing, or one question where no digest is known."""
    (tmp_path / "scene.tif.part").write_bytes(SCENE)
    done = await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)
    assert (done.fetched_bytes, done.tries) == (0, 0)

    storage.then("/scene.tif", Behaviour(cut_after=999), *[Behaviour(cut_after=0)] * 5)
    with pytest.raises(TransferIncomplete):
        await transfer(session, link, tmp_path / "b.tif")
    with (tmp_path / "b.tif.part").open("ab") as part:
        part.write(SCENE[-1:])
    done = await transfer(session, link, tmp_path / "b.tif")
    assert (done.fetched_bytes, done.tries, done.path.read_bytes()) == (0, 1, SCENE)


async def test_an_expired_link_is_renewed_and_carried_on_from_the_same_byte(
    session: Session, api: Origin, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=400), Behaviour(status=403), Behaviour(status=400))
    renewed = []

    async def renew() -> str:
        renewed.append(True)
        return link

    done = await transfer(session, link, tmp_path / "scene.tif", renew=renew)

    assert done.path.read_bytes() == SCENE
    assert len(renewed) == 2
    assert storage.ranges("/scene.tif") == [None, "bytes=400-", "bytes=400-", "bytes=400-"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_link_that_stays_refused_is_reported_as_expired(
    status: int, session: Session, api: Origin, link: str, tmp_path: Path
) -> None:
    api.always["/download/"] = Behaviour(status=status)

    async def renew() -> str:
        return link

    with pytest.raises(LinkExpired) as caught:
        await transfer(session, link, tmp_path / "scene.tif", renew=renew)

    assert (caught.value.status, api.count("/download/"), lying(tmp_path)) == (status, 3, {})


async def test_storage_that_is_unwell_is_asked_again(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then(
        "/scene.tif", Behaviour(status=503), Behaviour(drop=True), Behaviour(status=500), Behaviour(status=429)
    )

    done = await transfer(session, link, tmp_path / "scene.tif")

    assert (done.tries, done.path.read_bytes()) == (5, SCENE)


async def test_two_transfers_never_write_one_part_file(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    storage.then("/scene.tif", Behaviour(wait_for=gate))
    first = asyncio.create_task(transfer(session, link, tmp_path / "scene.tif"))
    await until("the first one has begun", (tmp_path / "scene.tif.part.json").exists)

    with pytest.raises(TransferBusy):
        await transfer(session, link, tmp_path / "scene.tif")
    gate.set()

    assert (await first).path.read_bytes() == SCENE


async def test_a_cancelled_transfer_keeps_what_arrived(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(stall_after=400))
    here: list[int] = []
    task = asyncio.create_task(transfer(session, link, tmp_path / "scene.tif"))
    await until("400 bytes are in the part file", lambda: lying(tmp_path).get("scene.tif.part") == 400)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    done = await transfer(session, link, tmp_path / "scene.tif", progress=lambda got, _: here.append(got))

    assert (done.fetched_bytes, here, done.path.read_bytes()) == (600, [400, 1_000], SCENE)


async def test_the_sidecar_says_what_it_is_of_and_holds_no_secret(
    session: Session, storage: Origin, link: str, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=400), *[Behaviour(cut_after=0)] * 5)
    with pytest.raises(TransferIncomplete):
        await transfer(session, link, tmp_path / "scene.tif", expected=PROMISED)

    text = (tmp_path / "scene.tif.part.json").read_text()

    assert TOKEN not in text
    assert json.loads(text) == {
        "format": 1,
        "url": f"{storage.url}/scene.tif",
        "version": {"etag": f'"{hashlib.md5(SCENE).hexdigest()}"', "last_modified": None, "size_bytes": 1_000},
        "expected": {"size_bytes": 1_000, "sha256": PROMISED.sha256, "md5": None},
    }
