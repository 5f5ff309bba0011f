"""Download: the manifest first, then the files side by side; a final name holds the whole, verified file or nothing.

Every file is noted as it arrives, so that a try after a crash fetches what is missing, and each half file from its last
byte. For an object store the files pass through a staging folder of this machine. A zipped order is unpacked.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.context import StageContext
from jobs.errors import DamagedArchive
from jobs.orders import order_id_of, read_order, state_of
from jobs.outcomes import Advance, Again, Finish, Outcome
from jobs.room import Wanted
from jobs.run import Facts, Failure, FailureKind, Run, Stage, State
from jobs.stages.files import OrderFiles
from jobs.watch import judge
from planet_sdk.delivery import Delivery
from planet_sdk.exceptions import ClientError

_NO_SPACE_PAUSE_S = 60  # somebody has to make room first


async def download(run: Run, context: StageContext) -> Outcome:
    """Bring the order's files to the destination, below a folder named after the order.

    Harmless to repeat: what is there is kept, what is half there is continued, links are minted anew.

    Raises:
        PlanetError: Planet or the network failed; what has arrived is kept.
        OSError: the disk did; likewise.
        DestinationError: the destination cannot be used.
        UnsafeArchive: an archive is not to be unpacked.
        Fenced: this worker no longer owns the job.
    """
    order = await read_order(context.orders, order_id_of(run))
    verdict = judge(run, order)
    if not isinstance(verdict, Advance):
        return verdict or Again(context.policy.max_check_s, f"the order is {state_of(order)} at Planet once more")
    if not _names(order):
        return _without_files(run, order)
    delivery = await Delivery.open(context.orders, order, _folder(run, context, order), overwrite=True)
    files = OrderFiles(run, context, delivery, await context.notebook.files())
    missing = await files.missing()
    short = await asyncio.to_thread(_claim_room, run, context, files.wanted(missing))
    if short:
        return Again(_NO_SPACE_PAUSE_S, short, charge=False, facts=files.totals())
    try:
        await context.notebook.note(files.totals())
        await delivery.fetch_all(
            overwrite=True,
            progress=lambda file, here, size: context.progress(files.key(file), here, size),
            only=[file.name for file in missing],
            at_once=context.policy.transfers_per_run,
            done=files.keep,
        )
    except DamagedArchive as error:
        return _after_damage(run, context, error, files.totals())
    finally:
        context.room.release(run.run_id)
    _check_undelivered(delivery, order)
    if context.destination.local_dir is None:
        await asyncio.to_thread(shutil.rmtree, context.staging / run.run_id, ignore_errors=True)
    facts = {**verdict.facts, **files.totals()}
    return Advance(Stage.VALIDATE, f"{len(delivery.files)} files, {facts['bytes_done']:,} bytes, are there", facts)


def _after_damage(run: Run, context: StageContext, error: DamagedArchive, totals: Facts) -> Again | Finish:
    """Fetch an archive again that does not unpack, as often as validate would send a file back."""
    if run.refetches >= context.policy.max_refetches:
        text = f"{error}; fetched again {run.refetches} times to no avail"
        failure = Failure(kind=FailureKind.PLANET, type="FilesNotAsPromised", message=text, stage=Stage.DOWNLOAD)
        return Finish(State.FAILED, text, failure, totals)
    delay_s = context.policy.backoff_s(run.refetches)
    facts = {**totals, "refetches": run.refetches + 1}
    return Again(delay_s, f"{error}; fetching it again", charge=False, facts=facts)


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


def _claim_room(run: Run, context: StageContext, wanted: Sequence[Wanted]) -> str | None:
    """Claim room for what is still to come, where it is to lie; a staged file leaves as soon as it is whole."""
    if context.destination.local_dir is None:
        return context.room.claim(run.run_id, context.staging, wanted, context.policy.transfers_per_run)
    return context.room.claim(run.run_id, context.destination.local_dir, wanted)
