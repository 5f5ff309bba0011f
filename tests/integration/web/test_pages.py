"""The pages, over a real Valkey: what they show, what they never show, and what they survive."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.outcomes import Advance, Finish, Park
from jobs.run import Failure, FailureKind, FileRecord, Stage, State
from worker.web.acts import console_link

from .conftest import Fleet

RUN_ID = "01JD0000000000000000000001"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
HOSTILE = "<script>alert('x')</script>\"'&"


async def test_the_first_page_says_that_the_fleet_is_well(web: httpx.AsyncClient, fleet: Fleet) -> None:
    job = {"job_id": f"{RUN_ID}:download:2", "run_id": RUN_ID, "stage": "download", "bytes_done": 1_500_000}
    await fleet.report_worker("atlas-worker.1", jobs=[{**job, "since": 0, "bytes_total": 3_000_000}])
    await fleet.redis.psetex(keys.health("arq:queue"), 60_000, "Nov-22 17:34:51 j_complete=7")
    await fleet.submit(RUN_ID, name="Oregon wheat")

    answer = await web.get("/")

    assert answer.status_code == 200
    assert "The fleet is well" in answer.text
    assert "atlas-worker.1" in answer.text
    assert "1 of 16" in answer.text
    assert "1.5 MB of 3.0 MB" in answer.text
    assert "j_complete=7" in answer.text
    assert "Oregon wheat" in answer.text
    assert f"/runs/{RUN_ID}" in answer.text


async def test_without_workers_the_fleet_is_down_and_the_page_says_what_to_do(web: httpx.AsyncClient) -> None:
    answer = await web.get("/")

    assert answer.status_code == 200
    assert "The fleet is down: no worker is alive" in answer.text
    assert "Start one with <code>planet-orders worker</code>." in answer.text


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", "Fleet"),
        ("/runs", "Runs"),
        (f"/runs/{RUN_ID}", "Runs"),
        ("/failures", "Failures"),
        ("/submit", "Submit"),
        ("/batches", "Batches"),
        ("/docs", "API"),
    ],
)
async def test_every_page_has_the_same_frame_and_says_where_it_stands(
    web: httpx.AsyncClient, fleet: Fleet, path: str, place: str
) -> None:
    await fleet.submit(RUN_ID)

    text = (await web.get(path)).text

    (menu,) = re.findall(r'(?s)<ul class="places">(.*?)</ul>', text)
    places = re.findall(r'<li><a href="(/[a-z]*)"( aria-current="page")?>(\w+)</a></li>', menu)
    assert [name for _, _, name in places] == ["Fleet", "Runs", "Batches", "Failures", "Submit", "API"]
    assert [name for _, is_here, name in places if is_here] == [place]
    assert "/static/page.js" in text
    assert "/static/act.js" in text


async def test_a_vanished_worker_is_named(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.report_worker("w1")
    await fleet.report_worker("w2", silent_s=60)

    assert "The fleet is degraded: worker w2 has vanished" in (await web.get("/")).text


async def test_what_others_wrote_is_shown_as_text_everywhere(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """Names, reasons, errors, file paths and worker reports are data, whatever they hold."""
    await fleet.report_worker("w1", host=HOSTILE, last_redis_error=HOSTILE)
    await fleet.submit(RUN_ID, name=HOSTILE, producer=HOSTILE, key=HOSTILE, request={"name": HOSTILE})
    failure = Failure(kind=FailureKind.PLANET, type=HOSTILE, message=HOSTILE, traceback=HOSTILE)
    facts = {"order_message": HOSTILE, "error_hints": [HOSTILE]}
    await fleet.move(RUN_ID, Finish(State.FAILED, HOSTILE, failure, facts), [FileRecord(path=HOSTILE, problem=HOSTILE)])

    for page in (
        "/",
        f"/runs/{RUN_ID}",
        f"/runs/{HOSTILE.replace('/', '')}",
        f"/runs?state={HOSTILE}",
        f"/runs?search={HOSTILE}",
    ):
        text = (await web.get(page, headers={"Accept": "text/html"})).text
        assert "&lt;script&gt;" in text or "state" in page
        assert "<script>" not in text


async def test_a_state_filters_the_runs(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    await fleet.submit("R2")
    await fleet.move("R2", Finish(State.FAILED, "refused"))

    text = (await web.get("/runs", params={"state": "failed"})).text

    assert "name of R2" in text
    assert "name of R1" not in text
    assert re.search(r'aria-current="page">failed <b class="num">1</b>', text)


async def test_older_runs_are_one_link_away(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for number in range(51):
        await fleet.submit(f"R{number:02}")

    first = (await web.get("/runs")).text
    link = re.search(r'href="(/runs\?before=[^"]+)" id="older"', first)
    assert link
    second = (await web.get(link[1])).text

    assert first.count('id="run-') == 50
    assert re.findall(r'id="run-(\w+)"', second) == ["R00"]


async def test_a_runs_page_tells_its_story(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID, name="Oregon wheat", producer="nightly import")
    await fleet.move(RUN_ID, Advance(Stage.WAIT, "order created", {"order_id": ORDER_ID}))
    await fleet.move(RUN_ID, Advance(Stage.DOWNLOAD, "order is ready"))
    await fleet.move(RUN_ID, Advance(Stage.VALIDATE, "1 file fetched"))
    file = FileRecord(path="PSScene/a.tif", size_bytes=1_500_000, sha256="ab" * 32, verified=True)
    await fleet.move(RUN_ID, Finish(State.DONE, "1 file verified"), [file])

    answer = await web.get(f"/runs/{RUN_ID}")

    assert answer.status_code == 200
    told = ["submitted", "order created", "order is ready", "1 file fetched", "1 file verified"]
    told += [ORDER_ID, "nightly import", "PSScene/a.tif", "1.5 MB", "ab" * 32, "verified", "file:///data"]
    assert [each for each in told if each not in answer.text] == []


async def test_a_failed_run_shows_what_went_wrong(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID)
    failure = Failure(kind=FailureKind.BUG, type="KeyError", message="no such bundle", traceback="line 3 in create")
    await fleet.move(RUN_ID, Finish(State.FAILED, "gave up", failure))

    text = (await web.get(f"/runs/{RUN_ID}")).text

    assert "no such bundle" in text
    assert "line 3 in create" in text


@pytest.mark.parametrize("path", ["/runs/{}", "/v1/runs/{}", "/", "/v1/fleet", "/runs", "/v1/runs"])
async def test_no_secret_of_a_run_is_shown(web: httpx.AsyncClient, fleet: Fleet, path: str) -> None:
    """Not in the request, and not in what an error says."""
    s3 = {"bucket": "b", "aws_access_key_id": "S3CRET-one", "aws_secret_access_key": "S3CRET-two"}
    request = {"name": "n", "delivery": {"amazon_s3": s3}, "notifications": {"webhook": {"url": "https://h/S3CRET"}}}
    await fleet.submit(RUN_ID, request=request, destination="s3://user:S3CRET@bucket/x")
    failure = Failure(
        kind=FailureKind.BUG, type="E", message="GET https://h/f?token=S3CRET", traceback="https://h/f?token=S3CRET"
    )
    await fleet.move(RUN_ID, Finish(State.FAILED, "see https://h/f?token=S3CRET", failure))

    answer = await web.get(path.format(RUN_ID))

    assert answer.status_code == 200
    assert "S3CRET" not in answer.text


async def test_an_unknown_run_or_address_has_a_page_with_a_way_back(web: httpx.AsyncClient) -> None:
    for path in ("/runs/nobody", "/nowhere"):
        answer = await web.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert 'href="/"' in answer.text


async def test_an_unknown_state_is_answered_with_those_there_are(web: httpx.AsyncClient) -> None:
    answer = await web.get("/runs", params={"state": "lost"})

    assert answer.status_code == 422
    assert "downloading" in answer.text
    assert 'href="/"' in answer.text


async def test_a_page_loads_nothing_from_elsewhere_and_cannot_be_framed(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID)
    for path in ("/", f"/runs/{RUN_ID}", "/runs/nobody"):
        answer = await web.get(path, headers={"Accept": "text/html"})
        loaded = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
        assert [link for link in loaded if not link.startswith(("/", "#"))] == []
        assert " style=" not in answer.text  # which the policy forbids
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        for link in {link for link in loaded if link.startswith("/static/")}:
            assert (await web.get(link)).status_code == 200


async def test_the_first_page_scans_nothing(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.report_worker()
    for number in range(5):
        await fleet.submit(f"R{number}")
    await fleet.move("R0", Park(60, "waiting"))
    await fleet.redis.config_resetstat()

    assert (await web.get("/")).status_code == 200

    used = {name.removeprefix("cmdstat_") for name in await fleet.redis.info("commandstats")}
    allowed = {
        "hget",
        "zrange",
        "zrevrangebyscore",
        "zrangebyscore",
        "zcard",
        "zcount",
        "hgetall",
        "get",
        "time",
        "exists",
    }
    assert used - allowed <= {"ping", "client|setinfo", "select", "config|resetstat", "info"}


async def test_a_broken_record_costs_one_page_and_not_the_process(web: httpx.AsyncClient, redis: ArqRedis) -> None:
    async with redis.pipeline() as pipe:
        pipe.hset(keys.run("broken"), "state", "a state of a later version")
        pipe.expire(keys.run("broken"), 60)
        await pipe.execute()

    answer = await web.get("/runs/broken")

    assert answer.status_code == 500
    assert "its record is kept as it is" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await web.get("/")).status_code == 200


async def test_buttons_say_what_they_do_or_why_they_cannot(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID, request={"name": "n", "products": [{"item_ids": ["a", "b"], "item_type": "PSScene"}]})

    queued = (await web.get(f"/runs/{RUN_ID}")).text
    await fleet.move(RUN_ID, Advance(Stage.WAIT, "order created", {"order_id": ORDER_ID, "order_state": "failed"}))
    await fleet.move(RUN_ID, Finish(State.FAILED, "the order failed"))
    failed = (await web.get(f"/runs/{RUN_ID}")).text

    cancel = rf'<button [^>]*data-post="/v1/runs/{RUN_ID}/cancel"[^>]*>Cancel run</button>'
    found = re.search(cancel, queued)
    assert found
    assert "disabled" not in found[0]
    assert "Retry run: It has not ended, it is queued; cancel it first." in queued
    assert "buy again" not in queued
    found = re.search(cancel, failed)
    assert found
    assert "disabled" in found[0]
    assert "Cancel run: It has ended (failed); there is nothing to cancel." in failed
    assert "only a new order helps" in failed
    assert "This places a new order, 2 items, and Planet bills it" in failed


async def test_a_failed_run_says_what_to_do_and_leads_to_its_cause(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID)
    failure = Failure(kind=FailureKind.PRODUCER, type="InvalidAPIKey", message="Planet answered 401")
    await fleet.move(RUN_ID, Finish(State.FAILED, "gave up", failure))

    text = (await web.get(f"/runs/{RUN_ID}")).text

    (cause,) = (await web.get("/v1/failures")).json()["causes"]
    assert "Mend PL_API_KEY, restart the workers, then retry." in text
    assert f'href="/failures#cause-{cause["cause"]}"' in text
    assert f'id="cause-{cause["cause"]}"' in (await web.get("/failures")).text


async def test_a_runs_page_shows_its_log_without_secrets(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit(RUN_ID)
    await fleet.move(RUN_ID, Finish(State.FAILED, "gave up"))
    line = {"event": "download failed", "level": "error", "url": "https://h/f?token=S3CRET"}
    async with fleet.redis.pipeline() as pipe:
        pipe.rpush(keys.log(RUN_ID), json.dumps(line))
        pipe.expire(keys.log(RUN_ID), 60)
        await pipe.execute()

    text = (await web.get(f"/runs/{RUN_ID}")).text

    assert "download failed" in text
    assert "S3CRET" not in text


@pytest.mark.parametrize(
    ("destination", "link"),
    [
        ("file:///data", None),
        ("az://container/x", None),
        ("gs://bucket/a b", "https://console.cloud.google.com/storage/browser/bucket/a%20b"),
        ("s3://bucket/a&b", "https://console.aws.amazon.com/s3/buckets/bucket?prefix=a%26b%2F"),
    ],
)
def test_a_destination_leads_to_a_console_where_its_scheme_has_one(destination: str, link: str | None) -> None:
    assert console_link(destination) == link
