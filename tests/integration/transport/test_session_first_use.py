"""What a Session's first request has to wait for."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio, contextlib, sys
from planet_sdk import Auth, Session

class Watching:
    @contextlib.asynccontextmanager
    async def slot(self, kind):
        before = set(sys.modules)
        yield
        print(*(name for name in set(sys.modules) - before if name.startswith(("anyio", "httpcore"))))

    def pause(self, kind, delay_s): ...

async def main():
    async def answer(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Session(Auth.from_key("key"), base_url=url, limiter=Watching()) as session:
        await session.request("GET", url)

asyncio.run(main())
"""


def test_nothing_is_loaded_any_more_once_a_request_has_its_turn() -> None:
    """What a request waits for after its turn brings it closer to the ones after it than the rate allows."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == []
