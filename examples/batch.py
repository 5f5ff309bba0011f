"""Submit many requests as one batch, follow it to its end, and say what has become of it.

    python examples/batch.py KEY order.json [more.json ...]

Needs a worker of the same Redis: REDIS_URL, or the same ORDERS_DATA_DIR (by default: the same working directory).
The key makes it safe to repeat: run again after a crash, it goes on where it was and buys nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from jobs import BadRequest, KeyReused, OrderQueue, Submission

PATIENCE_S = 6 * 3600


async def main(key: str, paths: list[Path]) -> bool:
    """Submit all as one batch and wait for it; whether each of them came home."""
    requests = (Submission(json.loads(path.read_bytes())) for path in paths)
    async with OrderQueue.connect() as queue:
        batch = await queue.submit_batch(requests, key=key, producer="examples/batch.py")
        for path, answer in zip(paths, batch.answers, strict=True):
            if isinstance(answer, BadRequest | KeyReused):
                print(f"{path}: {answer}", file=sys.stderr)
        summary = await batch.result(timeout=PATIENCE_S)
    for state, count in summary.batch.runs.items():
        if count:
            print(f"{count} {state}")
    print(f"{summary.files} files, {summary.bytes:,} bytes")
    for failure in summary.failures:
        print(f"{failure.runs} runs: {failure.message} ({failure.cause.advice})", file=sys.stderr)
    return summary.batch.has_all_files


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(sys.argv[1], [Path(name) for name in sys.argv[2:]])) else 1)
