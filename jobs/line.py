"""The line of creates: who places the next order. See docs/decisions/0008-the-line-of-creates.md."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """Before whom a run's order is placed, as long as several wait."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


def flow_of(batch_id: str | None, producer: str | None) -> str:
    """Whose turn a run takes in line: its batch's, else its producer's, else that of all who gave no name."""
    if batch_id:
        return f"batch {batch_id}"
    return f"producer {producer}" if producer else ""
