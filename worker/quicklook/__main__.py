"""The process in which a picture is made: it reads one file, and may use so much memory and time and no more."""

from __future__ import annotations

import json
import logging
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from worker.quicklook.picture import draw_picture
from worker.quicklook.pixels import read_pixels
from worker.quicklook.terms import CPU_S, EXIT_NO_PICTURE, MEMORY_BYTES, NoPicture


def main() -> int:
    """Read what to read from stdin, and write the PNG to stdout, or why there is none to stderr."""
    asked = json.load(sys.stdin)
    _limit_this_process()
    logging.disable()  # stderr is the answer; what tifffile has to say of a file is not
    try:
        with _open(**asked) as file:
            sys.stdout.buffer.write(draw_picture(read_pixels(file)))
    except NoPicture as error:
        return _tell(str(error))
    except OSError as error:
        return _tell(f"it cannot be read ({error.strerror or type(error).__name__})")
    except MemoryError:
        return _tell("it takes more memory than a quicklook may")
    except Exception as error:  # noqa: BLE001 — the edge: a file may be anything, and tifffile raises whatever it may
        return _tell(f"it cannot be read as a TIFF ({type(error).__name__})")
    return 0


def _open(path: str | None = None, destination: str = "", key: str = "") -> BinaryIO:
    """The file: in a folder, or below a destination."""
    if path is not None:
        if not Path(path).is_file():  # a pipe would have it wait
            raise NoPicture("no file is at its place; it may be on a disk that this machine has not")
        return Path(path).open("rb")
    from jobs.destination import DestinationError, open_destination  # noqa: PLC0415 — half a second that a folder saves

    try:
        return open_destination(destination).open(key)
    except DestinationError as error:
        raise NoPicture(str(error)) from error


def _tell(why: str) -> int:
    sys.stderr.write(why)
    return EXIT_NO_PICTURE


def _limit_this_process() -> None:
    limits = {resource.RLIMIT_AS: MEMORY_BYTES, resource.RLIMIT_CPU: CPU_S, resource.RLIMIT_CORE: 0}
    for kind, most in limits.items():
        with suppress(ValueError, OSError):  # a lower one is in force, or the system has none, as a Mac for memory
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    sys.exit(main())
