"""Order requests from files and standard input: one, a JSON array, or one a line, each with the place it stands at."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self

from worker.cli.exits import CommandError

_IN_MEMORY_BYTES = 8_000_000  # of standard input; more goes to a temporary file


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was found, or why none could be read there.

    Attributes:
        place: the file, with the line (`orders.ndjson:12`) or the position in its array (`orders.json[3]`).
        value: the JSON, whatever it is.
        flaw: why there is none; None where there is.
    """

    place: str
    value: Any = None
    flaw: str | None = None


class Sources:
    """The files of one command, which can be read more than once, standard input too. Use as a context manager.

    A file of one request a line is never held in memory as a whole.

    Args:
        names: paths; `-` is standard input, and so is an empty list, unless that is a terminal.
        stdin: default: this process's.
    """

    def __init__(self, names: Sequence[str], stdin: BinaryIO | None = None) -> None:
        self._stdin = stdin or sys.stdin.buffer
        if not names and self._stdin.isatty():
            raise CommandError("no requests were given; name a file, or pipe them in (see `planet-orders submit -h`)")
        self._names = tuple(names) or ("-",)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._spool: IO[bytes] = self._open.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
        if "-" in self._names:
            shutil.copyfileobj(self._stdin, self._spool)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __iter__(self) -> Iterator[Entry]:
        for name in self._names:
            if name == "-":
                self._spool.seek(0)
                yield from read_entries(self._spool, "stdin")
            else:
                yield from _read_file(Path(name), name)


def _read_file(path: Path, name: str) -> Iterator[Entry]:
    try:
        with path.open("rb") as file:
            yield from read_entries(file, name)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror or error}") from error


def read_entries(file: IO[bytes], name: str) -> Iterator[Entry]:
    """The requests in one open file. If its first line is whole by itself, so is each line after it."""
    start = file.tell()
    first = next((line for line in _lines(file) if line[1].strip()), None)
    if first is None:
        yield Entry(name, flaw="it holds no request")
        return
    another = next((True for _, line in _lines(file) if line.strip()), False)
    file.seek(start)
    if another and _is_whole(first[1]):
        yield from _read_lines(file, name)
    else:
        yield from _read_document(file.read(), name)


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    yield from enumerate(iter(file.readline, b""), 1)


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(_parse(line), dict)
    except (ValueError, RecursionError):
        return False


def _read_lines(file: IO[bytes], name: str) -> Iterator[Entry]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        try:
            yield Entry(place, _parse(line))
        except (ValueError, RecursionError) as error:
            yield Entry(place, flaw=_describe(error))


def _read_document(body: bytes, name: str) -> Iterator[Entry]:
    try:
        document = _parse(body)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        yield Entry(name + line, flaw=_describe(error))
        return
    if not isinstance(document, list):
        yield Entry(name, document)
    elif not document:
        yield Entry(name, flaw="its array is empty: it holds no request")
    else:
        yield from (Entry(f"{name}[{index}]", value) for index, value in enumerate(document))


def _parse(body: bytes) -> Any:
    return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _describe(error: Exception) -> str:
    match error:
        case json.JSONDecodeError(msg="Extra data"):
            return "not JSON: there is more behind the first value; put several requests one a line, or into an array"
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at column {error.colno}"
        case UnicodeDecodeError():
            return f"not JSON: byte {error.start + 1} is not UTF-8"
        case RecursionError():
            return "not a request: it is nested too deeply"
        case _:
            return f"not JSON: {error}"
