"""`verify`: delivered files are read again, of folders and of runs."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs.moves import By, plan_move
from jobs.outcomes import Finish
from jobs.run import State
from jobs.store import RunStore
from tests.integration.cli.terminal import Command, make_request

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
FILES = {"a.tif": b"one" * 100, "sub/b.xml": b"<two/>"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An order as it was delivered."""
    order = tmp_path / "orders" / ORDER_ID
    for name, content in FILES.items():
        (order / name).parent.mkdir(parents=True, exist_ok=True)
        (order / name).write_bytes(content)
    entries = [
        {"path": name, "size": len(content), "digests": {"sha256": hashlib.sha256(content).hexdigest()}}
        for name, content in FILES.items()
    ]
    (order / "manifest.json").write_text(json.dumps({"files": entries}))
    return order


@pytest.fixture
def run_id(command: Command, redis_url: str, folder: Path) -> str:
    """A run that delivered it."""
    run_id = command("submit", "--destination", str(folder.parent), stdin=json.dumps(make_request())).out.strip()

    async def deliver() -> None:
        redis: ArqRedis = ArqRedis.from_url(redis_url)
        store = RunStore(redis)
        outcome = Finish(State.DONE, "verified", facts={"order_id": ORDER_ID, "files_total": 3, "files_done": 3})
        await store.move(plan_move(await store.get(run_id), outcome, By.person()))
        await redis.aclose()

    asyncio.run(deliver())
    return run_id


def damage(folder: Path) -> None:
    (folder / "a.tif").write_bytes(b"two" * 100)
    (folder / "sub" / "b.xml").unlink()


def test_a_folder_as_promised_is_verified_without_redis(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    outcome = command("verify", str(folder))
    assert (outcome.status, outcome.out) == (0, f"{folder}\t2 files, 306 B, verified\n")


def test_an_archive_that_is_missing_may_have_been_unpacked(command: Command, folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"files": [{"path": "order.zip", "size": 7}]}))
    outcome = command("verify", str(folder))
    assert outcome.status == 1
    assert outcome.out == f"{folder}\torder.zip\tmissing; if it was unpacked here, verify the run by its id\n"


def test_each_wrong_file_is_named(command: Command, folder: Path) -> None:
    damage(folder)
    outcome = command("verify", folder.as_uri())
    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        f"{folder.as_uri()}\ta.tif\tbad_digest: its sha256 is not the promised one",
        f"{folder.as_uri()}\tsub/b.xml\tmissing",
    ]


def test_a_folder_without_a_manifest_proves_nothing(command: Command, tmp_path: Path) -> None:
    outcome = command("verify", f"{tmp_path}/nothing")
    assert (outcome.status, outcome.out) == (1, f"{tmp_path}/nothing\tmanifest.json\tmissing\n")


def test_a_run_is_verified_at_its_destination(command: Command, folder: Path, run_id: str) -> None:
    assert command("verify", run_id[-8:]).out == f"{run_id}\t2 files, 306 B, verified\n"
    damage(folder)
    outcome = command("verify", run_id, "--json")
    assert outcome.status == 1
    (finding,) = json.loads(outcome.out)
    assert finding["run_id"] == run_id
    assert finding["problems"].keys() == {f"{ORDER_ID}/a.tif", f"{ORDER_ID}/sub/b.xml"}
    assert f"planet-orders verify {run_id} --repair" in command("verify", run_id).err


def test_all_runs_with_files_are_verified_and_what_is_wrong_is_repaired(
    command: Command, folder: Path, run_id: str
) -> None:
    command("submit", stdin=json.dumps(make_request()))  # has no files
    damage(folder)
    outcome = command("verify", "--all", "--repair")
    assert (outcome.status, outcome.out.count(run_id)) == (1, 2)
    run = json.loads(command("status", run_id, "--json").out)
    assert (run["state"], run["order_id"], run["reason"]) == ("validating", ORDER_ID, "validated again on request")


def test_a_run_without_files_cannot_be_verified_and_does_not_hold_the_others_up(command: Command, run_id: str) -> None:
    other = command("submit", stdin=json.dumps(make_request("other"))).out.strip()
    outcome = command("verify", other, run_id)
    assert outcome.status == 1
    assert f"run {other}: it is queued, and has delivered no files" in outcome.err
    assert outcome.out.startswith(run_id)


@pytest.mark.parametrize("arguments", [(), ("--all", "x/y")])
def test_what_to_verify_must_be_said(command: Command, arguments: tuple[str, ...]) -> None:
    outcome = command("verify", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
