"""What the demo holds against what the fleet says: the files on disk, and what the simulated Planet saw."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.run import Run
from planet_sdk.exceptions import PlanetError
from planet_sdk.manifest import MANIFEST_NAME, ManifestEntry, read_manifest
from worker.wording import plural


@dataclass(slots=True)
class Delivery:
    """What lies at the destination for one run."""

    run: Run
    files: int = 0
    size_bytes: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the run is done, and every file is there and is what the manifest promised."""
        return self.run.state == "done" and self.files > 0 and not self.problems


async def verify_deliveries(runs: Sequence[Run], destination: Path) -> list[Delivery]:
    """Read every delivered file again and hold its size and sha256 against its order's manifest."""
    return [await asyncio.to_thread(verify_delivery, run, destination) for run in runs]


def verify_delivery(run: Run, destination: Path) -> Delivery:
    """As `verify_deliveries`, for one run; what is wrong is noted, nothing is raised."""
    delivery = Delivery(run)
    if not run.order_id:
        delivery.problems.append("no order was placed")
        return delivery
    folder = destination / run.order_id
    try:
        entries = read_manifest((folder / MANIFEST_NAME).read_bytes())
    except (OSError, PlanetError) as error:
        delivery.problems.append(f"{MANIFEST_NAME}: {error}")
        return delivery
    for entry in entries:
        _verify_file(folder, entry, delivery)
    return delivery


def _verify_file(folder: Path, entry: ManifestEntry, delivery: Delivery) -> None:
    try:
        with (folder / entry.path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size_bytes = file.tell()
    except OSError as error:
        delivery.problems.append(f"{entry.path}: {error.strerror}")
        return
    if size_bytes != entry.size_bytes or digest != entry.sha256:
        delivery.problems.append(f"{entry.path}: {size_bytes} bytes, sha256 {digest[:12]}: not what was promised")
    delivery.files += 1
    delivery.size_bytes += size_bytes


def tell_mishaps(report: Mapping[str, Any]) -> list[str]:
    """What went wrong on purpose and what became of it, by the simulator's own report: nothing is taken on trust."""
    struck: Mapping[str, int] = report["faults"]
    resumed = sum(1 for ranges in report["ranges"].values() for asked in ranges if not asked.startswith("bytes=0-"))
    orders: Mapping[str, int] = report["orders"]
    twice = sum(count - 1 for count in orders.values())
    lost = struck.get("drop_reply", 0)
    limited = report["rate_limited"]
    lines = [
        f"{plural(struck.get('cut_body', 0), 'download')} cut off midway, {resumed:,} continued from the last byte",
        f"{plural(struck.get('corrupt_body', 0), 'file')} corrupted on the way, noticed, and fetched again",
        f"{plural(struck.get('error', 0), 'request')} answered with 503 and repeated",
        f"{plural(lost, 'create reply', 'create replies')} lost after the order was placed, and the order found again",
        f"{plural(sum(orders.values()), 'order')} placed for {plural(len(orders), 'request')}, {twice:,} bought twice",
    ]
    if limited:
        lines.append(f"{plural(limited, 'request')} beyond Planet's rate limits, refused with 429 and repeated")
    return [line for line in lines if not line.startswith("0 ")]


def bought_twice(report: Mapping[str, Any]) -> bool:
    """Whether the simulator has more than one order of a name."""
    return any(count > 1 for count in report["orders"].values())
