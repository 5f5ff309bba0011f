"""What the tests of the command line share: a request, and what a command did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


def make_request(name: str = "oregon", **changes: Any) -> dict[str, Any]:
    """A request for one scene; `changes` are made to its product."""
    product = {"item_ids": ["20200925_161029_69_2223"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    return {"name": name, "products": [{**product, **changes}]}
