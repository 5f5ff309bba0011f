"""The blocking twins of OrderQueue and its handles: the same methods, for code without an event loop."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from jobs.batch_handle import BatchHandle
from jobs.errors import BadRequest, KeyReused
from jobs.handles import RunHandle
from jobs.intake import Answer
from jobs.portal import Portal, wait_for
from jobs.preview import Preview
from jobs.queue import OrderQueue
from jobs.submission import Submission

A = TypeVar("A")
T = TypeVar("T")
P = ParamSpec("P")


class _Twin(Generic[A]):
    """An object that does what its async twin does, and waits for it."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def _twin(self, queue: OrderQueue) -> A:
        raise NotImplementedError


def _blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Twin[A], P], T]:
    """The method of an async class, for its twin."""

    @functools.wraps(method)
    def call(self: _Twin[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._portal.call(lambda queue: method(self._twin(queue), *args, **kwargs))

    return call


def _blocking_iterator(
    method: Callable[Concatenate[A, P], AsyncIterator[T]],
) -> Callable[Concatenate[_Twin[A], P], Iterator[T]]:
    """As `_blocking`, for a method that yields."""

    @functools.wraps(method)
    def call(self: _Twin[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._portal.iterate(lambda queue: method(self._twin(queue), *args, **kwargs))

    return call


class BlockingRunHandle(_Twin[RunHandle]):
    """RunHandle for code without an event loop; rebuild it with BlockingOrderQueue.run(run_id)."""

    def __init__(self, portal: Portal, run_id: str, *, created: bool, ordered_before: bool = False) -> None:
        super().__init__(portal)
        self.run_id = run_id
        self.created = created  # False: the key or the request had this run already
        self.ordered_before = ordered_before  # True: the same request was submitted lately, without this key

    def __repr__(self) -> str:
        return f"BlockingRunHandle({self.run_id!r})"

    def _twin(self, queue: OrderQueue) -> RunHandle:
        return queue.run(self.run_id)

    status = _blocking(RunHandle.status)
    parts = _blocking(RunHandle.parts)
    history = _blocking(RunHandle.history)
    files = _blocking(RunHandle.files)
    log = _blocking(RunHandle.log)
    result = _blocking(RunHandle.result)


BlockingAnswer = BlockingRunHandle | BadRequest | KeyReused
"""What becomes of one request: its run, or why it has none."""


class BlockingBatchHandle(_Twin[BatchHandle]):
    """BatchHandle for code without an event loop; rebuild it with BlockingOrderQueue.batch(batch_id)."""

    def __init__(self, portal: Portal, batch_id: str, answers: Sequence[BlockingAnswer] = ()) -> None:
        super().__init__(portal)
        self.batch_id = batch_id
        self.answers = tuple(answers)

    def __repr__(self) -> str:
        return f"BlockingBatchHandle({self.batch_id!r})"

    def _twin(self, queue: OrderQueue) -> BatchHandle:
        return queue.batch(self.batch_id)

    status = _blocking(BatchHandle.status)
    runs = _blocking_iterator(BatchHandle.runs)
    summary = _blocking(BatchHandle.summary)
    result = _blocking(BatchHandle.result)


class BlockingOrderQueue(_Twin[OrderQueue]):
    """OrderQueue for code without an event loop: Django, Flask, scripts, notebooks.

    Its methods are those of OrderQueue, take the same, raise the same, and wait for the answer. It connects at the
    first call, so it may be made at import time; threads may share it, and a process that is forked, as by gunicorn,
    connects anew. Ctrl-C cancels the call it comes in, and leaves the queue as it was. It is closed by `close()`, by
    the end of a `with` block, or at the interpreter's exit.

    Example:
        queue = BlockingOrderQueue()
        run = queue.submit(request, key="field-7-2026-11")
        ended = run.result(timeout=3600)

    Arguments:
        url: the fleet's Redis; without one, `REDIS_URL`, and where that is not set either, the private Valkey of
            the data folder, which is started if need be.
        queue: arq's queue, as `ORDERS_QUEUE_NAME` names it for the workers.
        data_dir: the data folder; without one, `ORDERS_DATA_DIR`, or `.planet-orders` in the working directory.
        same_request_days: how long after a run's end its very request is not ordered again, at most 90; 0: it
            always is. `ORDERS_SAME_REQUEST_DAYS` is the same for the command line.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        queue: str = "arq:queue",
        data_dir: Path | None = None,
        same_request_days: float = 7,
    ) -> None:
        super().__init__(Portal(url, data_dir, {"queue": queue, "same_request_days": same_request_days}))

    @classmethod
    def connect(
        cls,
        url: str | None = None,
        *,
        queue: str = "arq:queue",
        data_dir: Path | None = None,
        same_request_days: float = 7,
    ) -> Self:
        """A queue that is connected already, so that one hears now if it cannot be; use it in a `with` block.

        Raises:
            RedisUnavailable, EmbeddedUnavailable: there is no usable Redis.
        """
        opened = cls(url, queue=queue, data_dir=data_dir, same_request_days=same_request_days)
        opened._portal.open()
        return opened

    def close(self) -> None:
        """Disconnect; a call that another thread is waiting in ends with an error. Harmless when repeated."""
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _twin(self, queue: OrderQueue) -> OrderQueue:
        return queue

    def submit(self, request: Mapping[str, Any] | Submission, **options: Any) -> BlockingRunHandle:
        """As OrderQueue.submit."""
        return self._run(self._portal.call(lambda queue: queue.submit(request, **options)))

    def submit_many(self, requests: Iterable[Mapping[str, Any] | Submission]) -> list[BlockingAnswer]:
        """As OrderQueue.submit_many; the requests are all read first, in the caller's thread."""
        read = list(requests)
        return [self._answer(each) for each in self._portal.call(lambda queue: queue.submit_many(read))]

    def preview(self, requests: Iterable[Mapping[str, Any] | Submission]) -> list[Preview | BadRequest | KeyReused]:
        """As OrderQueue.preview; the requests are all read first, in the caller's thread."""
        read = list(requests)
        return self._portal.call(lambda queue: queue.preview(read))

    def submit_batch(
        self,
        requests: Iterable[Mapping[str, Any] | Submission],
        *,
        name: str = "",
        key: str | None = None,
        producer: str | None = None,
        callback_url: str | None = None,
        tell: Callable[[BlockingAnswer], None] | None = None,
    ) -> BlockingBatchHandle:
        """As OrderQueue.submit_batch; the requests are all read first, and `tell` is called, in the caller's thread.

        So both may use what belongs to a thread, such as the connection to a database.
        """
        read, told = list(requests), SimpleQueue[Answer | None]()
        future = self._portal.open().start(
            lambda queue: queue.submit_batch(
                read, name=name, key=key, producer=producer, callback_url=callback_url, tell=told.put
            )
        )
        future.add_done_callback(lambda _: told.put(None))
        try:
            while (answer := told.get()) is not None:
                if tell:
                    tell(self._answer(answer))
        except BaseException:
            future.cancel()
            raise
        batch = wait_for(future)
        return BlockingBatchHandle(self._portal, batch.batch_id, [self._answer(each) for each in batch.answers])

    def batch(self, batch_id: str) -> BlockingBatchHandle:
        """Rebuild a batch's handle from its id alone; asks nothing."""
        return BlockingBatchHandle(self._portal, batch_id)

    def run(self, run_id: str) -> BlockingRunHandle:
        """Rebuild a handle from its id alone; asks nothing."""
        return BlockingRunHandle(self._portal, run_id, created=False)

    get = _blocking(OrderQueue.get)
    list = _blocking(OrderQueue.list)
    cancel = _blocking(OrderQueue.cancel)
    cancel_batch = _blocking(OrderQueue.cancel_batch)
    retry = _blocking(OrderQueue.retry)
    revalidate = _blocking(OrderQueue.revalidate)
    events = _blocking_iterator(OrderQueue.events)

    def _run(self, handle: RunHandle) -> BlockingRunHandle:
        shown = {"created": handle.created, "ordered_before": handle.ordered_before}
        return BlockingRunHandle(self._portal, handle.run_id, **shown)

    def _answer(self, answer: Answer) -> BlockingAnswer:
        return self._run(answer) if isinstance(answer, RunHandle) else answer
