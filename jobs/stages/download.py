"""Download: the manifest first, then the files side by side; a final name holds the whole, verified file or nothing.

Every file is noted as it arrives, so that a try after a crash fetches what is missing, and each half file from its last
byte. For an object store the files pass through a staging folder of this machine.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs.abreast import abreast
from jobs.context import StageContext
from jobs.orders import order_id_of, read_order, state_of
from jobs.outcomes import Advance, Again, Finish, Outcome
from jobs.run import Facts, FileRecord, Run, Stage, State
from jobs.watch import judge
from planet_sdk.delivery import Delivery, DeliveryFile
from planet_sdk.exceptions import ClientError
from planet_sdk.transfer import Transferred
from planet_sdk.transfer_part import part_path

_NO_SPACE_PAUSE_S = 60  # somebody has to make room first
_LOOKS_AT_ONCE = 32  # an object store takes tens of milliseconds to tell a size


async def download(run: Run, context: StageContext) -> Outcome:
    """Bring the order's files to the destination, below a folder named after the order.

    Harmless to repeat: what is there is kept, what is half there is continued, links are minted anew.

    Raises:
        PlanetError: Planet or the network failed; what has arrived is kept.
        OSError: the disk did; likewise.
        DestinationError: the destination cannot be used.
        Fenced: this worker no longer owns the job.
    """
    order = await read_order(context.orders, order_id_of(run))
    verdict = judge(run, order)
    if not isinstance(verdict, Advance):
        return verdict or Again(context.policy.max_check_s, f"the order is {state_of(order)} at Planet once more")
    if not _names(order):
        return _without_files(run, order)
    delivery = await Delivery.open(context.orders, order, _folder(run, context, order), overwrite=True)
    files = _Files(run, context, delivery, await context.notebook.files())
    missing = await files.missing()
    short = await asyncio.to_thread(_missing_space, context, missing)
    if short:
        return Again(_NO_SPACE_PAUSE_S, short, charge=False, facts=files.totals())
    await context.notebook.note(files.totals())
    await delivery.fetch_all(
        overwrite=True,
        progress=lambda file, here, size: context.progress(files.key(file), here, size),
        only=[file.name for file in missing],
        at_once=context.policy.transfers_per_run,
        done=files.keep,
    )
    _check_undelivered(delivery, order)
    if context.destination.local_dir is None:
        await asyncio.to_thread(shutil.rmtree, context.staging / run.run_id, ignore_errors=True)
    facts = {**verdict.facts, **files.totals()}
    return Advance(Stage.VALIDATE, f"{len(delivery.files)} files, {facts['bytes_done']:,} bytes, are there", facts)


class _Files:
    """The files of the run's order: which are at the destination already, and what is noted about them."""

    def __init__(self, run: Run, context: StageContext, delivery: Delivery, noted: Iterable[FileRecord]) -> None:
        self._context = context
        self._delivery = delivery
        self._order_id = order_id_of(run)
        self._noted: dict[str, FileRecord] = {record.path: record for record in noted}
        self._there: dict[str, int] = {}

    def key(self, file: DeliveryFile) -> str:
        """The file's path below the destination: always below a folder named after the order."""
        return f"{self._order_id}/{file.relative}"

    async def missing(self) -> list[DeliveryFile]:
        """The files to fetch: all but those that were noted whole and still lie there with their size."""
        offered = {self.key(file) for file in self._delivery.files}
        whole = [record for record in self._noted.values() if record.path in offered and not record.problem]
        sizes = await abreast(lambda record: self._context.destination.stat(record.path), whole, _LOOKS_AT_ONCE)
        for record, size in zip(whole, sizes, strict=True):
            if size is not None and size == record.size_bytes:
                self._there[record.path] = size
        return [file for file in self._delivery.files if self.key(file) not in self._there]

    async def keep(self, file: DeliveryFile, got: Transferred) -> None:
        """Bring a file that has arrived to its destination, and write it down."""
        key = self.key(file)
        if self._context.destination.local_dir is None:
            await self._context.destination.put_file(file.path, key)
            await asyncio.to_thread(file.path.unlink, missing_ok=True)
        earlier = self._noted.get(key)
        record = FileRecord(
            path=key,
            size_bytes=got.size_bytes,
            fetched_bytes=got.fetched_bytes + (earlier.fetched_bytes if earlier else 0),
            sha256=got.sha256,
            md5=got.md5,
            verified=bool(got.sha256 or got.md5),
        )
        self._noted[key], self._there[key] = record, got.size_bytes
        await self._context.notebook.note(self.totals(), {key: record})

    def totals(self) -> Facts:
        """How far the run's files have come."""
        sizes = [self._there.get(self.key(file), file.expected.size_bytes) for file in self._delivery.files]
        return {
            "files_total": len(self._delivery.files),
            "files_done": len(self._there),
            "bytes_total": sum(size or 0 for size in sizes),
            "bytes_done": sum(self._there.values()),
        }


def _folder(run: Run, context: StageContext, order: Mapping[str, Any]) -> Path:
    """The folder that the names of the order's files are relative to; bare names get one named after the order."""
    order_id = order_id_of(run)
    root = context.destination.local_dir or context.staging / run.run_id
    return root if all(name.startswith(f"{order_id}/") for name in _names(order)) else root / order_id


def _names(order: Mapping[str, Any]) -> list[str]:
    results = (order.get("_links") or {}).get("results") or []
    return [str(result.get("name")) for result in results if result]


def _without_files(run: Run, order: Mapping[str, Any]) -> Finish:
    """An order that is hosted offers nothing to download; any other ought to."""
    if not run.request.get("hosting"):
        raise ClientError(f"order {run.order_id} is {state_of(order)}, and offers no files yet")
    state = State.PARTIAL if state_of(order) == "partial" else State.DONE
    return Finish(state, "hosted by Planet, as the request asks; there is nothing to download")


def _check_undelivered(delivery: Delivery, order: Mapping[str, Any]) -> None:
    """A partial order may list what it could not deliver; a whole one has to deliver what it lists."""
    if delivery.undelivered and state_of(order) != "partial":
        names = ", ".join(f"{name} ({why})" for name, why in delivery.undelivered.items())
        raise ClientError(f"order {delivery.order_id} offers no link yet for {names}")


def _missing_space(context: StageContext, files: Sequence[DeliveryFile]) -> str | None:
    """Say so if the disk cannot hold what is still to come; sizes that nobody knows count as nothing."""
    sizes = [max(0, (file.expected.size_bytes or 0) - _size_here(file.path)) for file in files]
    folder = context.destination.local_dir
    if folder is None:  # a staged file leaves as soon as it is whole
        folder, sizes = context.staging, sorted(sizes)[-context.policy.transfers_per_run :]
    folder.mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(folder).free, sum(sizes)
    if needed <= free:
        return None
    return f"{folder} has room for {free:,} bytes, and {needed:,} are to come; make room, the run goes on by itself"


def _size_here(path: Path) -> int:
    """What of the file is on the disk already."""
    for candidate in (path, part_path(path)):
        with suppress(OSError):
            return candidate.stat().st_size
    return 0
