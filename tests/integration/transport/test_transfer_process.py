"""A transfer in a process of its own: killed in the middle, and weighed."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys
from pathlib import Path

import pytest

from planet_sdk.session import Session
from planet_sdk.transfer import Expected, transfer
from tests.integration.transport.conftest import lying, scene
from tests.integration.transport.origin import Behaviour, Origin
from tests.waiting import until

PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from planet_sdk.auth import Auth
from planet_sdk.session import Session
from planet_sdk.transfer import Expected, transfer

async def main(url, path, size, sha256):
    async with Session(Auth.from_key("key"), base_url=url) as session:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await transfer(session, f"{url}/scene.tif", Path(path), expected=Expected(int(size), sha256 or None))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main(*sys.argv[1:]))
"""


async def fetch_in_process(origin: Origin, path: Path, expected: Expected) -> asyncio.subprocess.Process:
    arguments = [origin.url, str(path), str(expected.size_bytes), expected.sha256 or ""]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("with_digest", [False, True])
async def test_a_killed_transfer_is_carried_on_with_one_range(
    with_digest: bool, session: Session, api: Origin, tmp_path: Path
) -> None:
    """After `kill -9` in the middle of the body, the next process asks for the rest only, and the file is right."""
    body = api.files["/scene.tif"] = scene(3_000_000)
    expected = Expected(len(body), hashlib.sha256(body).hexdigest() if with_digest else None)
    api.then("/scene.tif", Behaviour(stall_after=2_000_001))
    process = await fetch_in_process(api, tmp_path / "scene.tif", expected)
    await until("the part file has all that was sent", lambda: lying(tmp_path).get("scene.tif.part") == 2_000_001)
    process.send_signal(signal.SIGKILL)
    await process.wait()

    done = await transfer(session, f"{api.url}/scene.tif", tmp_path / "scene.tif", expected=expected)

    assert api.ranges("/scene.tif") == [None, "bytes=2000001-"]
    assert done.fetched_bytes == 999_999
    assert done.path.read_bytes() == body
    assert lying(tmp_path).keys() == {"scene.tif"}


async def test_memory_stays_flat_whatever_the_size(api: Origin, tmp_path: Path) -> None:
    size = 128 * 1024 * 1024
    body = api.files["/scene.tif"] = bytes(size)
    process = await fetch_in_process(api, tmp_path / "scene.tif", Expected(size, hashlib.sha256(body).hexdigest()))

    output, _ = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 0
    grown_kib = int(output) // (1024 if sys.platform == "darwin" else 1)
    assert grown_kib < 24 * 1024
