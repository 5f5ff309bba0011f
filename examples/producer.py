"""Put a request into the fleet's queue from Python, wait for the run, and list its verified files.

    python examples/producer.py order.json [more.json ...]

Needs a worker of the same Redis: REDIS_URL, or the same ORDERS_DATA_DIR (by default: the same working directory).
Running it again buys nothing: the key is made from the file's name and content, and gives back the run it had.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from jobs import BadRequest, KeyReused, OrderQueue, RunFailed, RunHandle, Submission

PATIENCE_S = 6 * 3600


def read_submission(path: Path) -> Submission:
    """One file, one request; the same file is the same run."""
    content = path.read_bytes()
    key = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    return Submission(json.loads(content), key=key, producer="examples/producer.py")


async def follow(run: RunHandle) -> bool:
    """Wait until the run has ended, and print its files or why there are none."""
    try:
        ended = await run.result(timeout=PATIENCE_S)
    except RunFailed as error:
        print(error, file=sys.stderr)
        return False
    print(f"{run.run_id}  {ended.state}  order {ended.order_id}")
    for file in await run.files():
        print(f"    {file.path}  {file.size_bytes:,} bytes  {'verified' if file.verified else 'not verified'}")
    return True


async def main(paths: list[Path]) -> bool:
    """Submit all, then wait for all; whether each of them came home."""
    async with OrderQueue.connect() as queue:
        answers = await queue.submit_many([read_submission(path) for path in paths])
        for path, answer in zip(paths, answers, strict=True):
            if isinstance(answer, BadRequest | KeyReused):
                print(f"{path}: {answer}", file=sys.stderr)
        runs = [answer for answer in answers if isinstance(answer, RunHandle)]
        came_home = await asyncio.gather(*map(follow, runs))
    return len(runs) == len(paths) and all(came_home)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main([Path(name) for name in sys.argv[1:]])) else 1)
