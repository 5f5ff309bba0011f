"""The four stages: each an async function of a run that returns what should happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from jobs.context import StageContext
from jobs.outcomes import Outcome
from jobs.run import Run, Stage
from jobs.stages.create import create
from jobs.stages.download import download
from jobs.stages.validate import validate
from jobs.stages.wait import wait

__all__ = ["STAGES", "StageFunction", "create", "download", "validate", "wait"]

StageFunction = Callable[[Run, StageContext], Awaitable[Outcome]]

STAGES: Mapping[Stage, StageFunction] = {
    Stage.CREATE: create,
    Stage.WAIT: wait,
    Stage.DOWNLOAD: download,
    Stage.VALIDATE: validate,
}
