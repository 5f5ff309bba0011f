from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from .app import make_app
from .clock import Clock
from .faults import Fault, FaultKind, FaultPlan
from .journal import Report
from .orders import OrderState
from .server import ServerThread, wait_for_signal
from .settings import SimulatorSettings
from .world import World

T = TypeVar("T")


class Simulator:
    """A stand-in for Planet's services over real HTTP, in a thread of its own; a context manager, sync and async.

    Every method may be called from any thread, before, during and after the time the server runs.

        with Simulator(SimulatorSettings(queued_s=0, running_s=0)) as simulator:
            simulator.cut_body("scene.tif", after_bytes=400)
            httpx.get(simulator.location("scene.tif"), follow_redirects=True)

    Args:
        clock: Seconds since the epoch, for tests that own the time; by default the real one, which `advance` moves.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings or SimulatorSettings()
        self._world = World(self.settings, Clock(clock))
        self._server = ServerThread(make_app(self._world), self._world.wire, host, port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._server.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._server.stop)

    @property
    def url(self) -> str:
        """Its address, in place of `https://api.planet.com`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._server.host, self._server.host)
        return f"http://{host}:{self._server.port}"

    @property
    def api_key(self) -> str:
        """The first of the keys it accepts."""
        return self.settings.api_keys[0]

    def add_fault(self, fault: Fault) -> None:
        """Let a fault wait for the requests it matches."""
        self._call(lambda: self._world.faults.add(fault))

    def set_plan(self, plan: FaultPlan) -> None:
        """Misbehave at random from here on."""
        self._call(lambda: setattr(self._world.faults, "plan", plan))

    def clear_faults(self) -> None:
        """Work flawlessly from here on."""
        self._call(self._world.faults.clear)

    def fail(
        self,
        endpoint: str,
        *,
        status: int = 503,
        subject: str = "*",
        times: int | None = 1,
        body: str | None = None,
        retry_after_s: float | None = None,
        after_processing: bool = False,
    ) -> None:
        """Answer the next `times` requests of this kind with an error status."""
        self.add_fault(
            Fault(
                kind=FaultKind.ERROR,
                endpoint=endpoint,
                subject=subject,
                times=times,
                status=status,
                body=body,
                retry_after_s=retry_after_s,
                after_processing=after_processing,
            )
        )

    def drop_request(self, endpoint: str, *, subject: str = "*", times: int | None = 1) -> None:
        """Reset the connection before anything is processed."""
        self.add_fault(Fault(kind=FaultKind.DROP_REQUEST, endpoint=endpoint, subject=subject, times=times))

    def drop_reply(self, endpoint: str, *, subject: str = "*", times: int | None = 1) -> None:
        """Process the request, then reset the connection before the first byte of the answer."""
        self.add_fault(Fault(kind=FaultKind.DROP_REPLY, endpoint=endpoint, subject=subject, times=times))

    def cut_body(self, file: str, *, after_bytes: int | None = None, times: int | None = 1) -> None:
        """End the connection after so many bytes of the body; None: in the middle."""
        self.spoil(FaultKind.CUT_BODY, file, times=times, after_bytes=after_bytes)

    def corrupt_body(self, file: str, *, after_bytes: int | None = None, times: int | None = 1) -> None:
        """Flip some bytes of the body, whose length stays right."""
        self.spoil(FaultKind.CORRUPT_BODY, file, times=times, after_bytes=after_bytes)

    def stall_body(self, file: str, *, after_bytes: int | None = None, times: int | None = 1) -> None:
        """Send nothing more after so many bytes, and keep the connection open."""
        self.spoil(FaultKind.STALL_BODY, file, times=times, after_bytes=after_bytes)

    def slow_body(self, file: str, *, bytes_per_s: float, times: int | None = 1) -> None:
        """Send the body at this speed."""
        self.add_fault(
            Fault(kind=FaultKind.SLOW_BODY, endpoint="storage", subject=file, times=times, bytes_per_s=bytes_per_s)
        )

    def spoil(self, kind: FaultKind, file: str, *, times: int | None = 1, after_bytes: int | None = None) -> None:
        """Let storage misbehave for a file, in a way that needs no more than this to be told."""
        self.add_fault(Fault(kind=kind, endpoint="storage", subject=file, times=times, after_bytes=after_bytes))

    def doom(self, kind: FaultKind, order_name: str = "*", *, times: int | None = 1) -> None:
        """Decide what becomes of the next order of this name: one of the `order_…` kinds, or `evil_name`."""
        self.add_fault(Fault(kind=kind, endpoint="create", subject=order_name, times=times))

    def expire_link(self, file: str, *, endpoint: str = "storage", times: int | None = 1) -> None:
        """Answer as if the link to a file had expired: at the storage, or, with `endpoint="link"`, before that."""
        self.add_fault(Fault(kind=FaultKind.EXPIRED_LINK, endpoint=endpoint, subject=file, times=times))

    def expire_links(self) -> None:
        """Make every link given out so far one that has expired; the next Get gives out good ones."""
        self._call(self._world.links.expire_all)

    def finish(self, order_id: str, state: str = "success", error_hints: Iterable[str] = ()) -> None:
        """Move an order to this state at once."""

        def move() -> None:
            order = self._world.book.find(order_id)
            if order is None:
                raise KeyError(f"no order {order_id}")
            self._world.book.finish(order, OrderState(state), error_hints)

        self._call(move)

    def place(self, requests: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take orders of the first account, checked by nobody and counted by no limit; return their ids."""
        return self._call(
            lambda: [self._world.book.create(self.api_key, self.url, request, (), {}).id for request in requests]
        )

    def finish_later(self, in_s: Mapping[str, float]) -> float:
        """Let orders end so many seconds from now, by id; return what time it is, in seconds since the epoch."""

        def plan() -> float:
            for order_id, seconds in in_s.items():
                order = self._world.book.find(order_id)
                if order is None:
                    raise KeyError(f"no order {order_id}")
                self._world.book.finish_later(order, seconds)
            return self._world.clock.now_s()

        return self._call(plan)

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._call(lambda: self._world.advance(seconds))

    def reset(self) -> None:
        """Begin anew: no orders, no faults but the plan of the settings, nothing seen."""
        self._call(self._world.reset)

    def put(self, name: str, data: bytes) -> str:
        """Store a file that belongs to no order, and return a link to it."""
        self._call(lambda: self._world.put(name, data))
        return self.location(name)

    def location(self, name: str) -> str:
        """A new link to the file that was put, or else delivered last, under this name; without one, to 1,000 bytes."""
        return self._call(lambda: self._world.link(self._world.find_key(name), self.url).location)

    def read(self, name: str) -> bytes:
        """What the file that `location` leads to holds, true and whole."""
        stored = self._call(lambda: self._world.open_now(self._world.find_key(name)))
        if stored is None:
            raise KeyError(f"no file {name}")
        return stored.content.read(0, stored.content.size_bytes)

    def ranges_asked(self, name: str) -> list[str]:
        """The Range headers seen for files of this name, in their order; requests without one are not among them."""
        return self._call(lambda: list(self._world.journal.ranges.get(name, ())))

    def request_times(self, endpoint: str) -> list[float]:
        """When requests of this kind came, with any key, in seconds since the epoch on the simulator's clock."""
        return self._call(lambda: self._world.journal.list_times(endpoint))

    def report(self) -> Report:
        """What was seen since the start or the last reset."""
        return self._call(self._world.report)

    def _call(self, function: Callable[[], T]) -> T:
        return self._server.call(function)


def serve(
    settings: SimulatorSettings | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Run a simulator until SIGINT or SIGTERM, then return; call it in the main thread.

    Args:
        settings: What it is like.
        host: Where it listens.
        port: 0 takes a free one.
        on_start: Told the address as soon as it answers.
    """
    with Simulator(settings, host=host, port=port) as simulator:
        if on_start is not None:
            on_start(simulator.url)
        wait_for_signal()
