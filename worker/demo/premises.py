"""Where the demo lives: its folder, and an environment in which nothing of the user's own fleet is seen."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path

from worker.cli.exits import CommandError, Exit

_MARKER = ".made-by-planet-orders-demo"
_PROCFILE = "worker: planet-orders worker\nweb: planet-orders web\n"
_OURS = ("ORDERS_", "PL_", "HONCHO_")


class Premises:
    """The demo's folder in the working directory; what an earlier demo left there is cleared away.

    Raises:
        CommandError: something else lies there, or another demo is running there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.destination = folder / "orders"
        self.simulator_log = folder / "simulator.log"
        self.fleet_log = folder / "fleet.log"
        try:
            self._take()
        except BlockingIOError as error:
            raise CommandError(
                f"another demo is running in {folder}; wait for it, or run this one elsewhere"
            ) from error
        except OSError as error:
            raise CommandError(f"{folder} cannot be used: {error.strerror or error}", Exit.FAILED) from error

    def _take(self) -> None:
        """Make sure that the folder is ours alone, and empty; it stays locked as long as this object lives."""
        self.folder.mkdir(exist_ok=True)
        marker = self.folder / _MARKER
        if not marker.is_file() and any(self.folder.iterdir()):
            message = f"{self.folder} is no demo's folder, so it is left alone; move it, or run the demo elsewhere"
            raise CommandError(message)
        self._lock = marker.open("a")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != marker:
                entry.unlink()

    def procfile(self) -> Path:
        """The Procfile of the working directory where it runs our processes, else one like it."""
        found = self.folder.parent / "Procfile"
        if found.is_file() and "planet-orders worker" in found.read_text(encoding="utf-8", errors="replace"):
            return found
        own = self.folder / "Procfile"
        own.write_text(_PROCFILE, encoding="utf-8")
        return own

    def environment(self, **settings: str) -> dict[str, str]:
        """This process's environment, without settings but these, and with our commands on the PATH.

        Run it in the demo's folder: a `.env` of the working directory is not read there.
        """
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
        for name in ("REDIS_URL", "PORT"):
            kept.pop(name, None)
        folders = [str(Path(sys.executable).parent), str(Path(sys.argv[0]).absolute().parent), kept.get("PATH", "")]
        direct = ",".join(filter(None, [kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1,localhost"]))
        proxies = {"NO_PROXY": direct, "no_proxy": direct}  # the simulator is here, whatever leads outside
        return {**kept, **proxies, "PATH": os.pathsep.join(filter(None, folders)), "PYTHONUNBUFFERED": "1", **settings}


def find_free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
