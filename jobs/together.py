"""Scripts that several tasks ask for at the same moment go to Redis together, in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

if TYPE_CHECKING:
    from arq.connections import ArqRedis
    from redis.commands.core import AsyncScript

_ASK_ALONE = object()
_MOST = 8  # in one round trip: while the server runs these, this process makes the next ones ready


@dataclass(slots=True, eq=False)
class _Asked:
    script: AsyncScript
    keys: Sequence[str]
    args: Sequence[Any]
    answer: asyncio.Future[Any]


class Together:
    """Runs scripts, each on its own, but sent with those that are asked for in the same turn of the loop.

    Most of what a command costs a process is the round trip, and a busy worker commits dozens of stages in one turn. An
    idle one has nothing to gain by this: what is asked for while nothing else is under way goes out at once.
    """

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._asked: list[_Asked] = []
        self._under_way = 0
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, script: AsyncScript, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """The script's answer.

        Raises:
            RedisError, OSError: as the script would raise them alone; it may have run all the same.
        """
        self._under_way += 1
        try:
            answer = _ASK_ALONE if self._under_way == 1 else await self._ask_together(script, keys, args)
            return await script(keys, args) if answer is _ASK_ALONE else answer
        finally:
            self._under_way -= 1

    async def _ask_together(self, script: AsyncScript, keys: Sequence[str], args: Sequence[Any]) -> Any:
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._send)
        asked = _Asked(script, keys, args, loop.create_future())
        self._asked.append(asked)
        return await asked.answer

    def _send(self) -> None:
        asked = [each for each in self._asked if not each.answer.done()]  # one who was cancelled asks no more
        self._asked = []
        for first in range(0, len(asked), _MOST):
            some = asked[first : first + _MOST]
            if len(some) == 1:
                some[0].answer.set_result(_ASK_ALONE)
                continue
            sending = asyncio.create_task(self._send_together(some))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send_together(self, asked: Sequence[_Asked]) -> None:
        answers: Sequence[Any] = [asyncio.CancelledError()] * len(asked)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for each in asked:
                    pipe.evalsha(each.script.sha, len(each.keys), *each.keys, *each.args)
                answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            answers = [error] * len(asked)
        finally:
            for each, answer in zip(asked, answers, strict=True):
                _tell(each.answer, answer)


def _tell(asker: asyncio.Future[Any], answer: Any) -> None:
    if asker.done():
        return
    if isinstance(answer, ResponseError):  # refused: the server does not know the script, has no memory, …
        asker.set_result(_ASK_ALONE)
    elif isinstance(answer, asyncio.CancelledError):
        asker.cancel()
    elif isinstance(answer, Exception):
        asker.set_exception(answer)
    else:
        asker.set_result(answer)
