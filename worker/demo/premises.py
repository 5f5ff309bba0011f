"""Where the demo lives: its folder, and an environment in which nothing of the user's own fleet is seen."""

from __future__ import annotations

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
        CommandError: something else lies there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.destination = folder / "orders"
        self.simulator_log = folder / "simulator.log"
        self.fleet_log = folder / "fleet.log"
        if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).is_file():
            raise CommandError(f"{folder} is no demo's folder, so it is left alone; move it, or run the demo elsewhere")
        try:
            shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
            folder.mkdir()
            (folder / _MARKER).touch()
        except OSError as error:
            raise CommandError(f"{folder} cannot be used: {error.strerror or error}", Exit.FAILED) from error

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
        return {**kept, "PATH": os.pathsep.join(filter(None, folders)), "PYTHONUNBUFFERED": "1", **settings}


def find_free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
