"""How a producer gets to the queue: by address, by REDIS_URL, or through the private Valkey of the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import OrderQueue, RedisUnavailable
from tests.stage_rig import request


async def test_a_producer_and_the_next_one_share_the_private_valkey_of_a_data_folder(tmp_path: Path) -> None:
    async with OrderQueue.connect(data_dir=tmp_path) as queue:
        run_id = (await queue.submit(request())).run_id
    async with OrderQueue.connect(data_dir=tmp_path) as queue:
        assert (await queue.get(run_id)).run_id == run_id


async def test_a_producer_without_a_redis_is_told_what_to_check() -> None:
    with pytest.raises(RedisUnavailable, match="check REDIS_URL"):
        async with OrderQueue.connect("redis://127.0.0.1:1/0"):
            pass
