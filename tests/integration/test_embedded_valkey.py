"""The private Valkey of a data folder, with real processes that are really killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs import keys
from jobs.embedded import EmbeddedValkey
from jobs.errors import EmbeddedUnavailable
from tests.waiting import wait_until

T = TypeVar("T")

USER = """
import sys
from pathlib import Path
from jobs.embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])) as valkey:
    print(valkey.url, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A second process that uses the folder's Valkey until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", USER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("unix://")
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def client(valkey: EmbeddedValkey) -> Iterator[Redis]:
    redis = Redis.from_url(valkey.url)
    try:
        yield redis
    finally:
        redis.close()


def server_of(valkey: EmbeddedValkey) -> psutil.Process:
    with client(valkey) as redis:
        info: Any = redis.info("server")
        return psutil.Process(info["process_id"])


def keeper_of(valkey: EmbeddedValkey) -> psutil.Process:
    parent = server_of(valkey).parent()
    assert parent is not None
    return parent


def answers(valkey: EmbeddedValkey) -> bool:
    with client(valkey) as redis, contextlib.suppress(RedisConnectionError):
        return bool(redis.ping())
    return False


def processes(fits: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The living processes that fit; one that ends while it is looked at does not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if fits(process) and not ended(process):
                found.append(process)
    return found


def keepers_in(data_dir: Path) -> list[psutil.Process]:
    return processes(lambda each: str(data_dir / "valkey") in each.cmdline())


def ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two looks
        return True


def test_what_was_in_it_is_there_the_next_time(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, client(valkey) as redis:
        redis.set("order", "kept")

    with EmbeddedValkey(tmp_path) as valkey, client(valkey) as redis:
        assert redis.get("order") == b"kept"


def test_two_processes_share_one_server_and_it_ends_with_the_last(tmp_path: Path) -> None:
    with another_process(tmp_path) as other:
        with EmbeddedValkey(tmp_path) as valkey:
            server = server_of(valkey)
            other.kill()
            other.wait()
            assert answers(valkey)
        wait_until("the server ends after the last user", lambda: ended(server))
    assert list(tmp_path.glob("valkey/*.sock")) == []


def test_it_ends_after_a_last_user_that_was_killed(tmp_path: Path) -> None:
    with another_process(tmp_path) as other:
        with EmbeddedValkey(tmp_path) as valkey:
            server = server_of(valkey)
        assert not ended(server)
        other.kill()
        wait_until("the server ends after the killed user", lambda: ended(server))


def test_many_processes_that_start_at_once_get_one_server(tmp_path: Path) -> None:
    with contextlib.ExitStack() as users:
        started = [
            users.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", USER, str(tmp_path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(6)
        ]
        assert len({process.stdout.readline() for process in started if process.stdout}) == 1
        with EmbeddedValkey(tmp_path) as valkey:
            server = server_of(valkey)
            assert processes(lambda each: each.name() == server.name() and each.cwd() == server.cwd()) == [server]
        for process in started:
            process.communicate()
    wait_until("the server ends", lambda: ended(server))


def test_leaving_and_joining_at_once_is_safe(tmp_path: Path) -> None:
    """Who joins while the last user's server is being stopped waits, and finds everything in a new one."""
    for count in range(1, 16):
        with EmbeddedValkey(tmp_path) as valkey, client(valkey) as redis:
            assert redis.incr("joined") == count


def test_a_killed_server_comes_back_with_its_data(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        with client(valkey) as redis:
            redis.set("order", "kept")
        server_of(valkey).kill()
        wait_until("the keeper starts the server again", lambda: answers(valkey))
        with client(valkey) as redis:
            assert redis.get("order") == b"kept"


def test_a_killed_keeper_is_replaced_and_the_server_goes_on(tmp_path: Path) -> None:
    """The users notice that the keeper is gone; the new one adopts the server, and ends it after the last user."""
    with EmbeddedValkey(tmp_path) as valkey:
        server, keeper = server_of(valkey), keeper_of(valkey)
        keeper.kill()
        wait_until("a new keeper has started", lambda: keepers_in(tmp_path))
        assert server_of(valkey) == server
    wait_until("the adopted server ends after the last user", lambda: ended(server))


def test_an_orphaned_server_is_adopted_by_the_next_user(tmp_path: Path) -> None:
    """Keeper and users all killed: the server lives on, and the next user finds it, data and all, and ends it."""
    with another_process(tmp_path) as other, EmbeddedValkey(tmp_path) as valkey:
        server, keeper = server_of(valkey), keeper_of(valkey)
        other.send_signal(signal.SIGSTOP)  # it must not replace the keeper
        with client(valkey) as redis:
            redis.set("order", "kept")
        keeper.kill()
        valkey.close()
        other.kill()

    with EmbeddedValkey(tmp_path) as valkey:
        with client(valkey) as redis:
            assert redis.get("order") == b"kept"
        if not ended(server):
            assert server_of(valkey) == server
    wait_until("the orphan ends after the last user", lambda: ended(server))


def test_keeper_and_server_killed_together_come_back(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        with client(valkey) as redis:
            redis.set("order", "kept")
        server, keeper = server_of(valkey), keeper_of(valkey)
        keeper.kill()
        server.kill()
        wait_until("a new keeper starts a new server", lambda: answers(valkey))
        with client(valkey) as redis:
            assert redis.get("order") == b"kept"


def test_the_signals_of_a_terminal_or_service_manager_do_not_take_it_away(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        server, keeper = server_of(valkey), keeper_of(valkey)
        assert os.getpgid(server.pid) == os.getpgid(keeper.pid) != os.getpgid(0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            keeper.send_signal(number)
        assert not ended(keeper)
        server.terminate()
        wait_until("the server that was asked to end comes back", lambda: ended(server) and answers(valkey))


def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "valkey"
    folder.mkdir()
    (folder / "valkey.sock").write_text("left behind")
    with EmbeddedValkey(tmp_path) as valkey:
        assert answers(valkey)


def test_a_folder_with_a_long_path_and_odd_characters_works(tmp_path: Path) -> None:
    data_dir = tmp_path / ("a long name " * 8) / 'with "quotes" # and ümlauts'
    with EmbeddedValkey(data_dir) as valkey, client(valkey) as redis:
        redis.set("order", "kept")
        socket = Path(redis.connection_pool.connection_kwargs["path"])
        server = server_of(valkey)
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    wait_until("the server ends", lambda: ended(server) and not socket.exists())
    socket.parent.rmdir()
    assert list(data_dir.glob("valkey/appendonlydir/*"))


def test_a_folder_that_was_removed_takes_its_server_along(tmp_path: Path) -> None:
    """A server whose folder is gone would keep what nobody can ever find again."""
    with EmbeddedValkey(tmp_path) as valkey:
        server = server_of(valkey)
        (tmp_path / "valkey").rename(tmp_path / "moved")
        wait_until("the server ends", lambda: ended(server))


def test_a_folder_that_is_removed_as_its_last_user_leaves_takes_its_server_along(tmp_path: Path) -> None:
    """As a temporary folder is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    with EmbeddedValkey(folder) as valkey:
        server = server_of(valkey)
    folder.rename(tmp_path / "moved")
    wait_until("the server ends", lambda: ended(server))


def test_a_data_folder_that_cannot_be_one_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedUnavailable, match=r"file/data cannot be used: Not a directory; set ORDERS_DATA_DIR"):
        EmbeddedValkey(tmp_path / "file" / "data")


def test_a_server_that_cannot_start_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "appendonlydir").write_text("a file where the server needs a folder")
    with pytest.raises(EmbeddedUnavailable, match=r"(?s)the server does not start.*Not a directory.*giving up"):
        EmbeddedValkey(tmp_path)


def test_a_clean_end_makes_no_order_doubtful(tmp_path: Path) -> None:
    """Only a server that ended otherwise may have forgotten something: see jobs/lua/begin.lua."""
    with EmbeddedValkey(tmp_path) as valkey, client(valkey) as redis:
        redis.hset(keys.SERVER, "run_id", "this one")
        redis.set("kept", "1")
        server = server_of(valkey)
    wait_until("the server has ended", lambda: ended(server))
    with EmbeddedValkey(tmp_path) as valkey, client(valkey) as redis:
        assert redis.get("kept")
        assert not redis.exists(keys.SERVER)
