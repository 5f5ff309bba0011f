"""The line of creates on a real Valkey: who is next, and how many."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import pytest
from arq.connections import ArqRedis

from jobs import Priority, keys
from jobs.errors import NoPlace
from jobs.moves import By, plan_move, run_id_of
from jobs.new_runs import NewRun
from jobs.outcomes import Advance, Finish, Park, Requeue
from jobs.policy import Policy
from jobs.resumption import plan_retry
from jobs.run import Run, Stage, State
from jobs.store import RunStore
from jobs.sweep import sweep
from worker.claims import Claims

T = TypeVar("T")

ME = By.owner_of_job("w1", "w1/boot-1")


async def _read(answer: Awaitable[T] | T) -> T:
    """Await what redis-py types as perhaps awaitable."""
    return await answer if isinstance(answer, Awaitable) else answer


class Line:
    """Runs by short names, and one worker that claims them."""

    def __init__(self, redis: ArqRedis, running_orders: int = 10_000) -> None:
        self.redis, self.store = redis, RunStore(redis)
        self.running_orders = running_orders
        policy = Policy(running_orders=running_orders)
        self.claims = Claims(redis, queue="arq:queue", owner=ME.owner, lease_s=60, policy=policy)

    async def join(self, *run_ids: str, **facts: Any) -> None:
        await self.store.submit_many(
            [
                NewRun(run_id, {"run_id": run_id, "name": "field", "request": {"name": "field"}, **facts}, "f")
                for run_id in run_ids
            ]
        )

    async def claim(self, free: int = 1, slots: int = 1_000, held: tuple[str, ...] = ()) -> list[str]:
        """The runs of the jobs claimed, creates before others."""
        jobs, _ = await self.claims.claim(free, slots, held)
        names = [run_id_of(job_id) or job_id for job_id, _ in jobs]
        return sorted(names, key=lambda name: name.startswith("due"))

    async def claim_one_by_one(self, number: int) -> str:
        return " ".join([name for _ in range(number) for name in await self.claim()])

    async def begin(self, run_id: str) -> Run:
        run = await self.store.get(run_id)
        return await self.store.begin(run_id, run.job_id or "", ME, "file:///data", running_orders=self.running_orders)

    async def end(self, run_id: str) -> None:
        """Let the run's order be done."""
        run = await self.store.get(run_id)
        await self.store.move(plan_move(run, Finish(State.DONE, "done"), ME if run.job_id else By.watcher("w1")))

    async def refuse(self, run: Run) -> None:
        """Let Planet have refused the run's order as one too many."""
        await self.store.move(plan_move(run, Requeue("waiting: too many active orders"), ME))

    async def let_pauses_pass(self, number: int) -> None:
        """Let a refusal be so many pauses ago, and a little more."""
        since, pause = await _read(self.redis.hmget(keys.FULL, ["since", "pause"]))
        passed = int(since or 0) - number * int(pause or 0) - 100
        await _read(self.redis.hset(keys.FULL, "since", str(passed)))


@pytest.fixture
def line(redis: ArqRedis) -> Line:
    return Line(redis)


async def test_a_producer_of_two_is_not_behind_anothers_thousand(line: Line) -> None:
    await line.join(*(f"A{number:03}" for number in range(1_000)), producer="a")
    await line.join("B1", "B2", producer="b")

    assert await line.claim_one_by_one(6) == "A000 A001 B1 A002 B2 A003"


async def test_batches_take_turns_as_producers_do(line: Line) -> None:
    await line.join("A1", "A2", "A3", producer="p", batch_id="a")
    await line.join("B1", "B2", producer="p", batch_id="b")
    await line.join("C1", "C2", producer="p")

    assert await line.claim_one_by_one(7) == "A1 A2 B1 C1 A3 B2 C2"


async def test_a_flow_that_comes_back_is_not_charged_for_the_past(line: Line) -> None:
    await line.join(*(f"A{number}" for number in range(9)), producer="a")
    await line.claim_one_by_one(9)
    await line.join("A9", producer="a")
    await line.join("B0", "B1", producer="b")

    assert await line.claim_one_by_one(3) == "A9 B0 B1"


async def test_flows_that_wait_for_nothing_are_not_remembered(line: Line) -> None:
    for number in range(20):
        await line.join(f"R{number}", batch_id=f"{number}")
        await line.claim()
    await line.join("LAST")

    assert await line.redis.zcard(keys.LINE) == 1


async def test_high_goes_before_normal_before_low(line: Line) -> None:
    await line.join("L", priority=Priority.LOW)
    await line.join("N")
    await line.join("H", priority=Priority.HIGH)

    assert await line.claim_one_by_one(3) == "H N L"


async def test_nobody_waits_for_ever_behind_a_higher_priority(line: Line) -> None:
    """Every tenth turn is the second priority's, every hundredth the third's."""
    numbers = count(100)
    for priority in Priority:
        await line.join(*(f"{priority[0]}{next(numbers)}" for _ in range(120)), priority=priority)

    taken = [name[0] for name in (await line.claim_one_by_one(110)).split()]

    assert [taken.count(letter) for letter in "hnl"] == [99, 10, 1]
    assert [at for at, letter in enumerate(taken, 1) if letter != "h"] == [*range(10, 101, 10), 110]


async def test_what_is_due_by_time_goes_before_the_line_but_for_one_slot(line: Line) -> None:
    await line.join("R1", "R2", "R3")
    await line.redis.zadd("arq:queue", {f"due{number}": 1_000 + number for number in range(5)})

    assert await line.claim(4, 16) == ["R1", "due0", "due1", "due2"]
    assert await line.claim(1, 16, held=("R1:create:0",)) == ["due3"]
    assert await line.claim(4, 16, held=("R1:create:0",)) == ["R2", "R3", "due4"]


async def test_creates_fill_half_of_the_slots_at_most(line: Line) -> None:
    await line.join(*(f"R{number}" for number in range(9)))

    assert len(await line.claim(8, 8)) == 4
    assert len(await line.claim(5, 8, held=("R0:create:0", "R1:create:0", "R2:wait:1"))) == 2
    assert len(await line.claim(1, 1)) == 1


async def test_a_job_of_an_older_version_is_taken_by_its_time(line: Line) -> None:
    await line.join("OLD", "NEW")
    await line.redis.zadd("arq:queue", {"OLD:create:0": 1_000})

    assert await line.claim(1, 2, held=("ANOTHER:create:0",)) == ["OLD"]


async def test_a_score_below_all_ranks_is_looked_at_all_the_same(line: Line) -> None:
    await line.redis.zadd("arq:queue", {"odd": float("-inf")})

    assert await line.claim() == ["odd"]


async def test_no_more_orders_are_begun_than_may_be_under_way(redis: ArqRedis) -> None:
    """Two workers that claim in the same moment see the same places; only one of them begins."""
    line = Line(redis, running_orders=2)
    await line.join("R1", "R2", "R3", "R4")
    assert await line.claim(9) == ["R1", "R2"]
    assert await line.claim(9) == ["R3", "R4"]
    for run_id in ("R2", "R3"):
        await line.begin(run_id)

    with pytest.raises(NoPlace, match="R1"):
        await line.begin("R1")

    assert (await line.store.get("R1")).starts == 0
    assert await line.claim(9) == []


async def test_who_finds_no_place_goes_back_to_the_head_of_the_line(redis: ArqRedis) -> None:
    line = Line(redis, running_orders=1)
    await line.join("R1", "R2", "R3")
    await line.claim()
    await line.claim()
    await line.begin("R2")
    with pytest.raises(NoPlace):
        await line.begin("R1")

    assert await line.claims.hand_back("R1:create:0")
    assert await line.claim(9) == []
    await line.end("R2")
    assert await line.claim(9) == ["R1"]


async def test_a_parked_order_counts_until_it_is_final(redis: ArqRedis) -> None:
    line = Line(redis, running_orders=1)
    await line.join("R1", "R2")
    await line.claim()
    created = await line.begin("R1")
    await line.store.move(plan_move(created, Advance(Stage.WAIT, "placed"), ME))
    await line.claim()
    await line.store.move(plan_move(await line.begin("R1"), Park(60, "waiting"), ME))

    assert await line.claim() == []
    await line.end("R1")
    assert await line.claim() == ["R2"]


async def test_a_run_that_only_has_to_end_needs_no_place(redis: ArqRedis) -> None:
    line = Line(redis, running_orders=1)
    await line.join("R1", "UNWANTED", "LATE")
    await line.claim(9)
    await _read(line.redis.hset(keys.run("LATE"), "deadline_at", "1000"))
    await line.store.ask_cancel("UNWANTED")
    await line.begin("R1")
    for run_id in ("UNWANTED", "LATE"):
        await line.redis.psetex(keys.in_progress(f"{run_id}:create:0"), 60_000, ME.owner)
        assert (await line.begin(run_id)).state is State.CREATING


async def test_a_run_in_a_full_line_ends_when_its_deadline_has_come(redis: ArqRedis) -> None:
    """The sweep finds it."""
    line = Line(redis, running_orders=1)
    await line.join("R1")
    await line.claim()
    await line.begin("R1")
    await line.join("LATE", deadline_at=datetime(2026, 11, 2, tzinfo=UTC))
    await line.join("R2")
    assert await line.claim(9) == []

    assert (await sweep(line.store, By.person())).recovered == ()
    assert await line.claim(9) == ["LATE"]
    assert (await line.begin("LATE")).state is State.CREATING


async def test_an_order_refused_as_one_too_many_is_the_next_when_another_has_ended(line: Line) -> None:
    await line.join("R1", "R2", "R3")
    await line.claim(2)
    await line.begin("R1")
    await line.refuse(await line.begin("R2"))

    assert ((await line.store.get("R2")).state, await line.claim(9)) == (State.QUEUED, [])
    await line.end("R1")
    assert await line.claim(9) == ["R2"]


async def test_after_a_refusal_ever_more_orders_are_tried(line: Line) -> None:
    """Others use the same account: their orders end unseen."""
    await line.join(*(f"R{number}" for number in range(9)))
    await line.claim()
    await line.refuse(await line.begin("R0"))
    assert await line.claim(9) == []

    await line.let_pauses_pass(1)
    assert await line.claim(9) == ["R0"]
    await line.begin("R0")
    assert await line.claim(9) == []
    await line.let_pauses_pass(1)
    assert await line.claim(9) == ["R1", "R2"]


async def test_where_nothing_is_taken_for_long_it_is_tried_ever_more_rarely(line: Line) -> None:
    await line.join("R1", "R2")
    await line.claim(2)
    first, second = await line.begin("R1"), await line.begin("R2")
    pauses_ms = []
    for run in (first, second):  # of one moment
        await line.refuse(run)
        pauses_ms.append(await _read(line.redis.hget(keys.FULL, "pause")))
    for _ in range(5):
        await line.let_pauses_pass(1)
        (run_id,) = await line.claim(9)
        await line.refuse(await line.begin(run_id))
        pauses_ms.append(await _read(line.redis.hget(keys.FULL, "pause")))
    await line.let_pauses_pass(2)
    await line.claim()
    await line.refuse(await line.begin("R1"))
    pauses_ms.append(await _read(line.redis.hget(keys.FULL, "pause")))

    assert [int(pause or 0) for pause in pauses_ms] == [5000, 5000, 10000, 20000, 40000, 60000, 60000, 5000]


async def test_a_retried_run_takes_its_turn_as_a_new_one_does(line: Line) -> None:
    await line.join("A1", "A2", "A3", producer="a")
    await line.claim()
    await line.store.move(plan_move(await line.begin("A1"), Finish(State.FAILED, "refused"), ME))
    await line.store.move(plan_retry(await line.store.get("A1"), By.person(), rebuy=False))

    assert await line.claim_one_by_one(3) == "A2 A3 A1"
