"""What docs/http.md tells people to type."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from arq.connections import ArqRedis

from jobs import OrderQueue, State
from jobs.store import RunStore
from tests.web_rig import served
from worker.tokens import Scope, create_token

PAGE = Path(__file__).parents[3] / "docs" / "http.md"


async def test_every_shell_example_does_what_it_says(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    """One after another in one shell, as a reader does; each must end well."""
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    assert script.count("curl ") >= 8
    token = await create_token(redis, "a reader", list(Scope))
    async with served(redis_url) as web:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", script),
            env={"PATH": os.environ["PATH"], "URL": str(web.base_url).rstrip("/"), "TOKEN": token},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    runs = {run.name: run for run in await OrderQueue(RunStore(redis)).list()}
    assert set(runs) == {"field 7", "field 8", "field 9"}
    ours = runs["field 7"]
    assert (ours.key, ours.producer) == ("field-7-2026-11", "nightly import")
    retried = [run for run in runs.values() if run.reason and "retried" in run.reason]
    assert [run.state for run in retried] == [State.QUEUED]
    assert '"created":true' in said.decode()
