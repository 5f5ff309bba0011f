"""Ctrl-C ends a command, also where the first cancellation gets lost on its way."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from worker.cli.desk import Desk, at_desk


def test_a_cancellation_that_is_lost_is_made_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    lost: list[str] = []

    async def work(_: Desk) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append("as in wait_for before Python 3.12")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio.run sees to this one, and to no other
    try:
        with pytest.raises(KeyboardInterrupt):
            at_desk(work)
    finally:
        signal.signal(signal.SIGINT, before)
    assert lost
