"""A fleet's queue, open in an event loop of its own in a thread of its own, for callers that have no loop."""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import finalize

from jobs.queue import OrderQueue, join_embedded

T = TypeVar("T")
Work = Callable[[OrderQueue], Coroutine[Any, Any, T]]

_CLOSING_S, _INSIST_S = 10.0, 0.5
# Not epoll: it would be shared with a forked child, whose cleaning up takes the parent's sockets out of it.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Portal:
    """Does a queue's work for threads that wait for it. It connects at the first call, and after a fork anew.

    It may be made at import time, be shared by threads, and be carried through a fork.
    """

    def __init__(self, url: str | None, data_dir: Path | None, options: dict[str, Any]) -> None:
        self._place = url, data_dir, options
        self._threads: dict[int, _LoopThread] = {}  # by process; one that a fork brought along is kept, and let alone
        self._locks: dict[int, threading.Lock] = {}  # by process: a thread that the fork left behind may hold one
        self._is_closed = False

    def call(self, work: Work[T]) -> T:
        """Do something with the queue, and wait for it; whatever interrupts the waiting cancels it.

        Raises:
            RuntimeError: the portal was closed, before or meanwhile.
            RedisUnavailable, EmbeddedUnavailable: there is no usable Redis.
        """
        return wait_for(self.open().start(work))

    def iterate(self, work: Callable[[OrderQueue], AsyncIterator[T]]) -> Iterator[T]:
        """What the work yields, one after the other; an iteration that is given up frees what it held."""
        thread = self.open()
        items = work(thread.queue)
        try:
            while True:
                try:
                    item = wait_for(thread.start(lambda _: _next(items)))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            thread.abandon(items)

    def open(self) -> _LoopThread:
        """The thread of this process, started if need be; raises as `call`."""
        if self._is_closed:
            raise _closed()
        pid = os.getpid()
        with self._locks.setdefault(pid, threading.Lock()):
            if pid not in self._threads:
                url, data_dir, options = self._place
                thread = self._threads[pid] = _LoopThread(url, data_dir, options)
                finalize(self, thread.close)  # when nobody has the portal any more, and at the interpreter's exit
            return self._threads[pid]

    def close(self) -> None:
        """End what is under way, and disconnect. Harmless when repeated."""
        self._is_closed = True
        if thread := self._threads.get(os.getpid()):
            thread.close()


def wait_for(future: Future[T]) -> T:
    """The result of what was started; it is cancelled if the waiting is interrupted, as by Ctrl-C."""
    try:
        return future.result()
    except CancelledError as error:
        raise _closed() from error
    except BaseException:
        future.cancel()
        raise


class _LoopThread:
    """A thread whose event loop has the queue open."""

    def __init__(self, url: str | None, data_dir: Path | None, options: dict[str, Any]) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()  # the garbage collector may abandon() in the midst of a start()
        self._is_closed = False
        self._valkey = join_embedded(url, data_dir)  # here, as no thread can be started at the interpreter's exit
        opened: Future[OrderQueue] = Future()
        self._loop = asyncio.SelectorEventLoop(_Selector())
        self._serving = self._loop.create_task(self._serve(self._valkey.url if self._valkey else url, options, opened))
        self._thread = threading.Thread(target=self._run, name="order-queue", daemon=True)
        self._thread.start()
        try:
            self.queue = opened.result()
        except BaseException:
            self.close()
            raise

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):  # as close() does it
            self._loop.run_until_complete(self._serving)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self, url: str | None, options: dict[str, Any], opened: Future[OrderQueue]) -> None:
        try:
            async with OrderQueue.connect(url, **options) as queue:
                opened.set_result(queue)
                try:
                    await asyncio.Event().wait()  # until close() cancels it
                finally:
                    await self._end_all()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)  # whoever opens the queue gets it

    async def _end_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        while others:  # one cancellation may get lost, before Python 3.12 in `asyncio.wait_for`
            for task in others:
                task.cancel()
            _, others = await asyncio.wait(others, timeout=_INSIST_S)

    def start(self, work: Work[T]) -> Future[T]:
        """Begin something in the thread. Each future comes to an end: what is not done when it closes is cancelled."""
        if os.getpid() != self._pid:
            raise RuntimeError("this was begun in the process that this one was forked from; begin it anew")
        with self._lock:
            if self._is_closed:
                raise _closed()
            return asyncio.run_coroutine_threadsafe(work(self.queue), self._loop)

    def abandon(self, items: AsyncIterator[Any]) -> None:
        """Let an iteration free what it holds, without waiting for that: it may be the garbage collector that calls."""
        with suppress(RuntimeError):  # closed, which has freed it; or of another process, which has it still
            self.start(lambda _: _close(items))

    def close(self) -> None:
        """End the thread, unless it is one of the process that this one was forked from."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                with suppress(RuntimeError):  # its loop has ended, as there was no Redis
                    self._loop.call_soon_threadsafe(self._serving.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSING_S)
        if self._valkey:
            self._valkey.close()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _close(items: AsyncIterator[Any]) -> None:
    if close := getattr(items, "aclose", None):
        await close()


def _closed() -> RuntimeError:
    return RuntimeError("the queue was closed; open another one: BlockingOrderQueue.connect()")
