"""The server's clock, counted on between two questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jobs.clock import ServerClock

if TYPE_CHECKING:
    from arq.connections import ArqRedis


class Server:
    """Its time, and how often it was asked for it; asking takes a tenth of a second."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.asked = 0

    async def time(self) -> tuple[int, int]:
        self.asked += 1
        self.now_s += 0.05  # the way there
        answer = int(self.now_s), round(self.now_s % 1 * 1e6)
        self.now_s += 0.05  # the way back
        return answer


async def test_the_time_is_asked_for_now_and_then_and_counted_on_from_there() -> None:
    """Never behind the server's own: what is due is seen to be due. Ahead by no more than the question took."""
    server = Server()
    clock = ServerClock(cast("ArqRedis", server), count_s=lambda: server.now_s)
    for _ in range(200):
        now_ms = await clock.now_ms()
        assert -1 <= now_ms - server.now_s * 1000 <= 100
        server.now_s += 0.25
    assert 2 <= server.asked <= 3
