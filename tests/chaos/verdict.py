"""What has to hold after a storm: each promise is a function that returns what speaks against it."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jobs import State, keys
from jobs.run import Run, Transition
from planet_sdk.simulator import Report
from planet_sdk.simulator.journal import find_peak
from planet_sdk.simulator.orders import OrderState
from tests.chaos.plan import RATES
from tests.chaos.planet import Bought, read_books
from tests.chaos.storm import Storm
from tests.homeless import find_homeless

_WINDOW_S = 10  # a busy machine hands requests over in bunches: one second of a limit is counted over ten
_SWEPT = "found without a job"
_EXPECTED = {
    OrderState.SUCCESS: State.DONE,
    OrderState.PARTIAL: State.PARTIAL,
    OrderState.FAILED: State.FAILED,
    OrderState.CANCELLED: State.CANCELLED,
}
_SECRETS = re.compile(rb"key-that-no-log-may-show|X-Goog-Signature=[0-9a-f]{8}|token=ey")
_OWN_FILES = ".planet-orders-"  # marks and probes; a kill may leave a second mark half made


@dataclass(frozen=True)
class Evidence:
    """What is left after a storm, from every side."""

    storm: Storm
    runs: Mapping[str, Run]
    histories: Mapping[str, Sequence[Transition]]
    books: Sequence[Bought]
    report: Report
    homeless: Sequence[str]
    leftovers: Sequence[str]
    """Keys and entries of jobs, of which there are none any more."""
    logs: Mapping[str, bytes]

    @cached_property
    def orders_by_name(self) -> Mapping[str, Sequence[Bought]]:
        """The orders of each name, of which there should be one."""
        found: defaultdict[str, list[Bought]] = defaultdict(list)
        for order in self.books:
            found[order.name].append(order)
        return found

    @cached_property
    def delivered(self) -> Sequence[tuple[Run, Bought]]:
        """The runs that say that their files are there, with their orders."""
        orders = {order.order_id: order for order in self.books}
        return [(run, orders[run.order_id]) for run in self.runs.values() if run.state.has_files and run.order_id]

    @cached_property
    def bad_files(self) -> Sequence[str]:
        """Files that are missing, wrong or not meant to be there, in the folders of delivered runs."""
        return [line for _, order in self.delivered for line in _compare(self.storm.destination, order)]

    @property
    def files(self) -> int:
        """How many files the delivered orders have."""
        return sum(len(order.digests) for _, order in self.delivered)


async def gather(storm: Storm) -> Evidence:
    """Look everywhere, once nobody is at work any more."""
    store = storm.queue.store
    runs = {run.run_id: run for run in await store.get_many(storm.run_ids)}
    return Evidence(
        storm=storm,
        runs=runs,
        histories={run_id: await store.history(run_id) for run_id in runs},
        books=read_books(storm.simulator),
        report=storm.simulator.report(),
        homeless=await find_homeless(store.redis),
        leftovers=[line async for line in _find_leftovers(storm)],
        logs={path.name: path.read_bytes() for path in sorted(storm.folder.glob("*.log"))},
    )


async def _find_leftovers(storm: Storm) -> AsyncIterator[str]:
    redis = storm.queue.store.redis
    for queue in ("arq:queue", keys.WATCH, "arq:abort"):
        for entry in await redis.zrange(queue, 0, -1):
            yield f"{queue} holds {entry.decode()}"
    for pattern in (keys.job("*"), keys.in_progress("*"), keys.retry("*")):
        async for key in redis.scan_iter(pattern):
            yield f"{key.decode()} is there"
    indexes = {state: set(await redis.zrange(keys.state(state), 0, -1)) for state in State}
    for run in await storm.queue.store.get_many(storm.run_ids):
        indexed = [state.value for state, members in indexes.items() if run.run_id.encode() in members]
        if indexed != [run.state]:
            yield f"run {run.run_id} is {run.state}, and in the indexes of {indexed}"


def every_run_ends(evidence: Evidence) -> Iterator[str]:
    """No run is lost: each that was submitted is there, and has ended."""
    for run_id in evidence.storm.run_ids:
        run = evidence.runs.get(run_id)
        if run is None:
            yield f"run {run_id} is gone"
        elif not run.state.is_final:
            yield f"run {run_id} is {run.state} since {run.updated_at} in {run.stage}, job {run.job_id}: {run.reason}"


def every_run_ends_as_its_order(evidence: Evidence) -> Iterator[str]:
    """A run ends done, partial, failed or cancelled because its order did so at Planet, and for no other reason."""
    for run in evidence.runs.values():
        order = next((one for one in evidence.orders_by_name[run.order_name] if one.order_id == run.order_id), None)
        if run.state.is_final and (order is None or run.state is not _expected_end(order)):
            at_planet = order.state if order else "not to be found there"
            yield f"run {run.run_id} is {run.state}, its order {run.order_id} is {at_planet}: {run.reason}"


def _expected_end(order: Bought) -> State | None:
    if order.is_evil and order.digests:  # a hostile name is refused, and with it the order
        return State.FAILED
    return _EXPECTED.get(order.state)


def no_order_is_bought_twice(evidence: Evidence) -> Iterator[str]:
    """There is one order of each name; two only where Planet hid the first from whoever looked for it."""
    for name, orders in evidence.orders_by_name.items():
        if len(orders) > 1 and all(order.is_listed for order in orders):
            yield f"{len(orders)} orders are named {name}: {', '.join(order.order_id for order in orders)}"


def every_order_has_its_run(evidence: Evidence) -> Iterator[str]:
    """Planet has no order that no run asked for."""
    names = {run.order_name for run in evidence.runs.values()}
    yield from (f"order {order.order_id} is named {order.name}" for order in evidence.books if order.name not in names)


def a_key_has_one_run(evidence: Evidence) -> Iterator[str]:
    """Whoever submits a key again finds the run of the first time."""
    yield from evidence.storm.strangers


def every_file_is_whole(evidence: Evidence) -> Iterator[str]:
    """What lies in a delivered order's folder is what Planet delivers, file by file and byte by byte, and no more."""
    yield from evidence.bad_files


def nothing_lies_elsewhere(evidence: Evidence) -> Iterator[str]:
    """No file is beside its order's folder, and nothing is left on its way there."""
    storm = evidence.storm
    folders = {order.order_id for order in evidence.books}
    for path in _files_below(storm.destination):
        if path.split("/")[0] not in folders and not path.startswith(_OWN_FILES):
            yield f"{path} lies in no order's folder"
    for path in _files_below(storm.folder):
        if path.split("/")[0] not in {"orders", "data"} and not path.endswith(".log"):
            yield f"{path} lies beside the destination"
    yield from (f"{path} is still staged" for path in _files_below(storm.folder / "data" / "staging"))


def no_key_stays(evidence: Evidence) -> Iterator[str]:
    """Redis holds no key without a lifetime or an owner, and nothing of jobs that have ended."""
    yield from (f"{key} has no lifetime" for key in evidence.homeless)
    yield from evidence.leftovers


def the_sweep_finds_nothing(evidence: Evidence) -> Iterator[str]:
    """No run ever lost its job."""
    for run_id, history in evidence.histories.items():
        yield from (f"run {run_id}, {line.at}: {line.reason}" for line in history if _SWEPT in line.reason)


def no_worker_ends_by_itself(evidence: Evidence) -> Iterator[str]:
    """A worker ends when it is killed or told to, then with status 0, and never otherwise."""
    yield from evidence.storm.fleet.strays


def no_request_is_above_the_limit(evidence: Evidence) -> Iterator[str]:
    """All workers together send no more of a kind than the account is allowed."""
    for kind, rate in RATES.items():
        most = rate * (_WINDOW_S + 1)
        times_ms = [round(time * 1000) for time in evidence.storm.simulator.request_times(kind)]
        peak = find_peak(times_ms, _WINDOW_S * 1000)
        if peak > most:
            yield f"{peak} requests to {kind} within {_WINDOW_S} s, {most:.0f} are allowed"


def no_log_shows_a_secret(evidence: Evidence) -> Iterator[str]:
    """No worker's log holds the API key or a signed link."""
    for name, log in evidence.logs.items():
        if found := _SECRETS.search(log):
            line = log.count(b"\n", 0, found.start()) + 1
            yield f"{name}, line {line}: {found[0][:16].decode()}…"


PROMISES: Sequence[Callable[[Evidence], Iterator[str]]] = (
    every_run_ends,
    every_run_ends_as_its_order,
    no_order_is_bought_twice,
    every_order_has_its_run,
    a_key_has_one_run,
    every_file_is_whole,
    nothing_lies_elsewhere,
    no_key_stays,
    the_sweep_finds_nothing,
    no_worker_ends_by_itself,
    no_request_is_above_the_limit,
    no_log_shows_a_secret,
)


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """What speaks against each promise; by the promise's words."""
    return {str(promise.__doc__).splitlines()[0]: list(promise(evidence)) for promise in PROMISES}


def _compare(destination: Path, order: Bought) -> Iterator[str]:
    """Hold a folder against what Planet delivers."""
    folder = destination / order.order_id
    there = set(_files_below(folder))
    yield from (f"{order.order_id}/{path} is missing" for path in order.digests.keys() - there)
    yield from (f"{order.order_id}/{path} is not of the order" for path in there - order.digests.keys())
    for path in order.digests.keys() & there:
        if hashlib.sha256((folder / path).read_bytes()).hexdigest() != order.digests[path]:
            yield f"{order.order_id}/{path} is not what Planet delivers"


def _files_below(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
