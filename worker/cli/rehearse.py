"""`submit --dry-run`: everything up to the POST, and what would be sent with it. Nothing is written or ordered."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.destination import DestinationError, open_destination
from jobs.errors import CapReached, KeyReused
from jobs.preview import Preview
from jobs.redaction import hide_password
from jobs.request import Size, redact_request
from jobs.submission import Submission
from planet_sdk.exceptions import InvalidAPIKey
from worker.caps import caps_of
from worker.cli.check import ask_planet
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.output import print_json, print_line
from worker.settings import Settings
from worker.wording import one_line, plural

_AT_ONCE = 100


class _Rehearsal:
    """What was found so far: what would be ordered, and what stands in the way."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.refused = 0
        self.entries: list[dict[str, Any]] = []
        self.orders: list[Size] = []

    def add(self, place: str, answer: Preview | KeyReused) -> None:
        """Note and print what would become of one request."""
        if isinstance(answer, KeyReused):
            self.refused += 1
            say(f"{place}: key: {one_line(str(answer))}")
            return
        would = "order" if answer.is_new else "ordered before" if answer.ordered_before else "known"
        requests = [{**redact_request(order), "name": f"{order['name']}-RUN_ID"} for order in answer.orders]
        if answer.is_new:
            self.orders += [answer.size, *[Size(0, 0)] * (len(requests) - 1)]
        if self.as_json:
            size = {"items": answer.size.items, "hectares": answer.size.hectares}
            self.entries.append({"place": place, "would": would, "run_id": answer.run_id, **size, "requests": requests})
            return
        say(f"{place}: {_told(would, answer)}")
        for request in requests if answer.is_new else ():
            print_line(request)


def rehearse(submissions: Iterator[tuple[str, Submission]], producer: str | None, *, as_json: bool) -> Exit:
    """Say what submitting these for a producer would do, and whether it could.

    Raises:
        CommandError: a destination cannot be used, or Planet refuses the key.
        PlanetError: it does not answer.
    """
    rehearsal = _Rehearsal(as_json=as_json)

    async def work(desk: Desk) -> Exit:
        destinations: set[str] = set()
        while chunk := list(islice(submissions, _AT_ONCE)):
            destinations |= {each.destination or desk.settings.destination for _, each in chunk}
            answers = await desk.queue.preview([submission for _, submission in chunk])
            for (place, _), answer in zip(chunk, answers, strict=True):
                if isinstance(answer, Preview | KeyReused):  # those that are bad are not among them
                    rehearsal.add(place, answer)
        for destination in sorted(destinations):
            await _look_at(destination)
        has_room = await _check_caps(desk, producer, rehearsal.orders)
        await _ask_planet(desk.settings)
        count = plural(len(rehearsal.orders), "order")
        say(f"Nothing was ordered. {count} would be placed at {desk.settings.api_url}.")
        return Exit.OK if has_room and not rehearsal.refused else Exit.FAILED

    try:
        return at_desk(work)
    finally:
        if as_json:
            print_json(rehearsal.entries)


def _told(would: str, answer: Preview) -> str:
    if would != "order":
        return f"{would}: {answer.run_id or 'it stands here twice'}"
    items = "items that only Planet can count" if answer.size.items is None else plural(answer.size.items, "item")
    hectares = answer.size.hectares
    area = "an area that the request does not tell" if hectares is None else f"{hectares:,.0f} ha"
    return f"would be ordered: {items}, in all {area}"


async def _look_at(destination: str) -> None:
    """Open the destination and read from it; a folder that is not there yet can be made."""
    try:
        opened = open_destination(destination)
        await opened.stat("manifest.json")
    except DestinationError as error:
        raise CommandError(f"destination: {error}; nothing was ordered") from error
    if opened.local_dir is not None and not _can_write(opened.local_dir):
        raise CommandError(f"destination: {hide_password(destination)} cannot be written; nothing was ordered")


def _can_write(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


async def _check_caps(desk: Desk, producer: str | None, sizes: Sequence[Size]) -> bool:
    """Whether there is room for all of it today; says so where there is not."""
    caps = caps_of(desk.settings, desk.redis)
    if caps is None or not sizes:
        return True
    try:
        await caps.check(producer, Size.sum(sizes), len(sizes))
    except CapReached as error:
        say(one_line(str(error)))
        return False
    return True


async def _ask_planet(settings: Settings) -> None:
    try:
        await ask_planet(settings)
    except InvalidAPIKey as error:
        raise CommandError(f"Planet refuses the key ({one_line(str(error))}); check PL_API_KEY") from error
    except TimeoutError as error:
        raise CommandError(f"{settings.api_url} did not answer in time", Exit.UNREACHABLE) from error
