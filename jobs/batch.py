"""The record of a batch: runs that were submitted together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from jobs.errors import UnreadableBatch
from jobs.redaction import hide_password
from jobs.run import Instant, State, flaws


class Batch(BaseModel):
    """Runs that were submitted together, and how many of them are in each state.

    The counts change in the script that moves a run, so they are exact at any moment, whatever dies.

    Attributes:
        runs: how many are in each state. A run that a key had already is not among them, but where it was submitted.
        requests: how many were submitted; None while that goes on, or where their producer died meanwhile.
        refused: how many of the requests have no run: bad ones, and those whose key has another request.
        elsewhere: how many of the requests had a run already that is not of this batch.
        ended_at: when all of it was submitted and the last of its runs ended; a retry takes it back.
        callback_url: whom the fleet tells when the batch ends.
        callback_note: what became of telling.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    batch_id: str
    name: str = ""
    producer: str | None = None
    key: str | None = None
    created_at: Instant
    submitted_at: Instant | None = None
    ended_at: Instant | None = None
    requests: int | None = None
    refused: int = 0
    elsewhere: int = 0
    runs: Mapping[State, int]
    callback_url: str | None = None
    callback_note: str | None = None

    @property
    def total(self) -> int:
        """How many runs it has."""
        return sum(self.runs.values())

    @property
    def ended(self) -> int:
        """How many of them have ended, well or not."""
        return sum(count for state, count in self.runs.items() if state.is_final)

    @property
    def has_ended(self) -> bool:
        """Whether all of it was submitted, and each run has ended."""
        return self.ended_at is not None

    @property
    def has_all_files(self) -> bool:
        """Whether it has ended and each request has its files, as far as Planet delivered them."""
        delivered = sum(count for state, count in self.runs.items() if state.has_files)
        return self.has_ended and not self.refused and delivered == self.total

    def as_dict(self) -> dict[str, Any]:
        """For programs: plain JSON, without anything secret."""
        shown = {"callback_url": hide_password(self.callback_url)} if self.callback_url else {}
        return {**self.model_dump(mode="json"), **shown}

    @classmethod
    def from_hash(cls, fields: Mapping[bytes, bytes], batch_id: str) -> Self:
        """Read the hash that the scripts keep.

        Raises:
            UnreadableBatch: it is damaged, or of a newer version.
        """
        try:
            known = {name.decode(): value.decode() for name, value in fields.items()}
            return cls.model_validate({**known, "runs": {state: int(known.get(state, 0)) for state in State}})
        except ValidationError as error:
            raise UnreadableBatch(batch_id, flaws(error)) from error
        except (ValueError, OverflowError, OSError) as error:  # bytes that are no text, no such year
            raise UnreadableBatch(batch_id, str(error)) from error
