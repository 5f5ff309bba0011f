"""How fast an order is downloaded and verified: planet_sdk, `curl --parallel` with md5sum, and planet 2.14.

    python benchmarks/transfer.py                          40 files of 25 MiB
    python benchmarks/transfer.py --files 1 --mib 4096     one file of 4 GiB

Contenders take turns, so that what else the machine does meets all of them. Seconds count from the first request to
the last verified byte; peak memory is the whole process's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MIB = 1024 * 1024
OURS, CURL, THEIRS, UNLIMITED = "planet_sdk", "curl + md5sum", "planet 2.14", "planet 2.14, unlimited"
WANTED = {CURL: 1.0, THEIRS: 2.0}
WANTED_PEAK_MIB = 100


@dataclass(frozen=True)
class Run:
    """One contender's way through the order."""

    seconds: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True)
class Order:
    """What is downloaded: files under `root`, with the API's answers beside them."""

    order_id: str
    api: str
    storage: str
    names: list[str]


def make_order(root: Path, files: int, mib: int, api: str, storage: str) -> Order:
    """Write files of random bytes, their manifest, and the order as Planet's API describes it."""
    order = Order(str(uuid.uuid4()), api, storage, [f"scene_{number:03}.tif" for number in range(files)])
    folder = root / order.order_id
    folder.mkdir()
    entries = [_make_file(folder / name, mib) for name in order.names]
    (folder / "manifest.json").write_text(json.dumps({"name": "", "files": entries}))
    names = [f"{order.order_id}/{name}" for name in ["manifest.json", *order.names]]
    results = [{"name": name, "delivery": "success", "location": f"{storage}/{name}"} for name in names]
    answer = root / "compute/ops/orders/v2" / order.order_id
    answer.parent.mkdir(parents=True)
    answer.write_text(json.dumps({"id": order.order_id, "state": "success", "_links": {"results": results}}))
    return order


def _make_file(path: Path, mib: int) -> dict[str, object]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mib):
            block = os.urandom(MIB)
            md5.update(block)
            sha256.update(block)
            file.write(block)
    digests = {"md5": md5.hexdigest(), "sha256": sha256.hexdigest()}
    return {"path": path.name, "media_type": "image/tiff", "size": mib * MIB, "digests": digests, "annotations": {}}


@contextmanager
def served(root: Path) -> Iterator[tuple[str, str]]:
    """Serve the folder from another process; yields the addresses of the API and of the storage."""
    command = [sys.executable, str(HERE / "static_server.py"), str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        api, storage = server.stdout.readline().split()
        yield f"http://127.0.0.1:{api}", f"http://127.0.0.1:{storage}"
        server.stdin.close()


def run_python(name: str, order: Order, directory: Path) -> Run:
    """Run a contender of contenders.py."""
    command = [sys.executable, str(HERE / "contenders.py"), name, order.api, order.order_id, str(directory)]
    run, output = _measured(command)
    return Run(float(output), run.cpu_s, run.peak_mib)


def run_curl(order: Order, directory: Path) -> Run:
    """Fetch all files with one curl, then check them with one md5sum, as a shell script would."""
    manifest = json.loads(_fetched(f"{order.storage}/{order.order_id}/manifest.json"))
    sums = directory / "MD5SUMS"
    sums.write_text("".join(f"{entry['digests']['md5']}  {directory / entry['path']}\n" for entry in manifest["files"]))
    urls = f"{order.storage}/{order.order_id}/{{{','.join(order.names)}}}"
    fetched, _ = _measured(
        ["curl", "--silent", "--no-progress-meter", "--fail", "--parallel", "--output", f"{directory}/#1", urls]
    )
    checked, _ = _measured(["md5sum", "--check", "--quiet", str(sums)])
    return Run(
        fetched.seconds + checked.seconds, fetched.cpu_s + checked.cpu_s, max(fetched.peak_mib, checked.peak_mib)
    )


def _fetched(url: str) -> bytes:
    return subprocess.run(["curl", "--silent", "--fail", url], stdout=subprocess.PIPE, check=True).stdout


def _measured(command: list[str]) -> tuple[Run, str]:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    peak = usage.ru_maxrss / (MIB if sys.platform == "darwin" else 1024)
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak), output


def take_turns(order: Order, rounds: int, scratch: Path) -> dict[str, list[Run]]:
    """Run every contender in every round, each into an empty folder on an idle disk."""
    contenders: dict[str, Callable[[Order, Path], Run]] = {CURL: run_curl}
    for name in (OURS, THEIRS, UNLIMITED):
        contenders[name] = lambda order, directory, name=name: run_python(name, order, directory)  # type: ignore[misc]  # mypy infers no lambda with a default
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            directory = scratch / "download"
            directory.mkdir()
            runs[name].append(run := contender(order, directory))
            print(f"{name}: {run.seconds:.2f} s, peak {run.peak_mib:.0f} MiB", file=sys.stderr, flush=True)
            shutil.rmtree(directory)
            os.sync()
    return runs


def report(runs: dict[str, list[Run]], total_mib: int) -> bool:
    """Print what was measured, and whether it is what is wanted."""
    print(f"{'':24}{'seconds':>9}{'MiB/s':>8}{'CPU s':>8}{'peak MiB':>10}   all seconds")
    for name, all_runs in runs.items():
        seconds = statistics.median(run.seconds for run in all_runs)
        cpu_s = statistics.median(run.cpu_s for run in all_runs)
        peak = max(run.peak_mib for run in all_runs)
        every = " ".join(f"{run.seconds:.2f}" for run in all_runs)
        print(f"{name:24}{seconds:9.2f}{total_mib / seconds:8.0f}{cpu_s:8.2f}{peak:10.0f}   {every}")
    fine = max(run.peak_mib for run in runs[OURS]) < WANTED_PEAK_MIB
    print(f"peak memory of {OURS}: {'under' if fine else 'NOT under'} {WANTED_PEAK_MIB} MiB")
    for name in (CURL, THEIRS, UNLIMITED):
        # Of one round each, as neighbours in time: a busy minute slows both.
        ratio = statistics.median(
            theirs.seconds / ours.seconds for theirs, ours in zip(runs[name], runs[OURS], strict=True)
        )
        wanted = WANTED.get(name, 0)
        fine &= ratio >= wanted
        print(f"{name} / {OURS}: {ratio:.2f}" + (f" (at least {wanted} wanted)" if wanted else ""))
    return fine


def main() -> None:
    """Measure and report; the exit code is 1 where what is wanted was not reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--mib", type=int, default=25, help="size of each file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where to work; it decides which disk is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        root = Path(scratch, "served")
        root.mkdir()
        with served(root) as (api, storage):
            order = make_order(root, options.files, options.mib, api, storage)
            os.sync()
            runs = take_turns(order, options.rounds, Path(scratch))
    print(f"{options.files} files of {options.mib} MiB, {options.rounds} rounds, {os.cpu_count()} cores, in {scratch}")
    sys.exit(not report(runs, options.files * options.mib))


if __name__ == "__main__":
    main()
