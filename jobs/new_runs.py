"""New runs, as the script takes them that writes them: many at a time, but none that holds the server up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import RedisError

from jobs import keys
from jobs.errors import SubmitUncertain
from jobs.json_text import to_json
from jobs.line import Priority, flow_of
from jobs.moves import job_id_of, job_payload
from jobs.redaction import hide_password
from jobs.run import Facts, Stage, State, encode_facts

_MOST_RUNS = 100  # in one script: a few milliseconds
_MOST_CHARACTERS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that nobody has written yet.

    Attributes:
        run_id: its id.
        facts: fields of its record, the request among them.
        fingerprint: by which a request is known again.
        key: the producer's, if there is one: the same key is the same run.
        once: do not write it where a run has ordered the same lately, or is about to.
        place: among the runs of its batch, if it is of one.
        parts: further runs of the same request, which stand or fall with this one.
    """

    run_id: str
    facts: Facts
    fingerprint: str
    key: str | None = None
    once: bool = False
    place: float = 0
    parts: tuple[NewRun, ...] = ()

    def as_arguments(self, now_ms: int) -> list[str]:
        """Two texts, and two more for each further part: the run as JSON, and its request as it will be kept."""
        further = [text for part in self.parts for text in part.as_arguments(now_ms)]
        return [*self._described(now_ms), *further]

    def _described(self, now_ms: int) -> tuple[str, str]:
        job_id = job_id_of(self.run_id, Stage.CREATE, 0)
        known = {name: value for name, value in self.facts.items() if value is not None}
        fields = encode_facts({"priority": Priority.NORMAL, **known, "state": State.QUEUED, "stage": Stage.CREATE})
        request = fields.pop("request", "")
        run = {
            "id": self.run_id,
            "job_id": job_id,
            "payload": job_payload(Stage.CREATE, self.run_id, now_ms).decode(),
            "fingerprint": self.fingerprint,
            "key": keys.producer_key(self.key) if self.key else "",
            "once": self.once,
            "place": self.place,
            "more": len(self.parts),
            "flow": flow_of(self.facts.get("batch_id"), self.facts.get("producer")),
            "fields": {name: text for name, text in fields.items() if text},
        }
        return to_json(run), request


def parcels(runs: Iterable[NewRun], now_ms: int) -> Iterator[list[str]]:
    """The arguments of one script after the other."""
    texts: list[str] = []
    characters = 0
    for run in runs:
        arguments = run.as_arguments(now_ms)
        texts += arguments
        characters += sum(map(len, arguments))
        if len(texts) >= 2 * _MOST_RUNS or characters >= _MOST_CHARACTERS:
            yield texts
            texts, characters = [], 0
    if texts:
        yield texts


@contextmanager
def in_doubt(runs: Sequence[NewRun]) -> Iterator[None]:
    """Raise SubmitUncertain where Redis goes away, or refuses, while these are submitted."""
    try:
        yield
    except (RedisError, OSError) as error:
        why = f"{type(error).__name__}: {hide_password(str(error))}"
        raise SubmitUncertain([run.run_id for run in runs], why) from error
