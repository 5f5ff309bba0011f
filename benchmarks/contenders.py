"""One contender of transfer.py, in a process of its own: downloads and verifies the order, and prints its seconds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

Runner: TypeAlias = Callable[[str, Path], Coroutine[Any, Any, None]]


def with_planet_sdk(api: str) -> Runner:
    """Return planet_sdk's download_order, which verifies as it writes, and makes each file durable."""
    from planet_sdk import Auth, Session  # noqa: PLC0415 — each process loads its own contender only

    async def run(order_id: str, directory: Path) -> None:
        async with Session(Auth.from_key("benchmark"), base_url=api) as session:
            await session.client("orders").download_order(order_id, directory)

    return run


def with_planet_2_14(api: str, *, limited: bool = True) -> Runner:
    """Return planet 2.14's download_order and validate_checksum."""
    from planet import Auth, OrdersClient, Session  # noqa: PLC0415 — as above
    from planet.http import _Limiter  # noqa: PLC0415 — as above

    async def run(order_id: str, directory: Path) -> None:
        async with Session(auth=Auth.from_key("benchmark")) as session:
            if not limited:
                session._limiter = _Limiter()  # noqa: SLF001 — it has no public switch
            client = OrdersClient(session, base_url=f"{api}/compute/ops")
            await client.download_order(order_id, directory)
            client.validate_checksum(directory / order_id, "SHA256")

    return run


CONTENDERS: dict[str, Callable[[str], Runner]] = {
    "planet_sdk": with_planet_sdk,
    "planet 2.14": with_planet_2_14,
    "planet 2.14, unlimited": lambda api: with_planet_2_14(api, limited=False),
}


def main() -> None:
    """Run the contender `name api order_id directory`; imports are not counted."""
    name, api, order_id, directory = sys.argv[1:]
    run = CONTENDERS[name](api)
    started = time.perf_counter()
    asyncio.run(run(order_id, Path(directory)))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
