"""The moments of a run, and the one at which its worker is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


class Struck(ConnectionAbortedError):
    """Fate has struck at this moment: whoever had the call in hand drops it."""


@dataclass
class Fate:
    """Notes the moments of a run as its worker's calls come by, and strikes at one of them, once.

    A moment has a name: "before note 2", the worker's second call of that name is not passed on yet; "after note 2", it
    is done, and its answer is withheld; "amid GET /file 1", half of the answer's body was passed on. Names, not
    numbers: calls that run side by side come in any order.

    Attributes:
        at: the moment to strike at; None: never.
        strike: what happens then.
        heralds: what happens at other moments, by name.
        on_moment: what happens at each moment.
        seen: the moments that came, in their order; none is noted after the strike.
        struck: set when it has happened.
    """

    at: str | None
    strike: Callable[[], None]
    heralds: dict[str, Callable[[], None]] = field(default_factory=dict)
    on_moment: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    _calls: Counter[str] = field(default_factory=Counter)

    def number(self, call: str) -> str:
        """The name of the next call of its kind."""
        self._calls[call] += 1
        return f"{call} {self._calls[call]}"

    def moment(self, name: str) -> None:
        """Note a moment; raise Struck where it is the one."""
        if self.struck.is_set():
            return
        self.seen.append(name)
        self.on_moment()
        if name in self.heralds:
            self.heralds[name]()
        if name == self.at:
            self.struck.set()
            self.strike()
            raise Struck(name)
