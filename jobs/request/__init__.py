"""Order requests as producers write them: checked, fingerprinted, and shown without their secrets."""

from __future__ import annotations

from jobs.request.check import check_request
from jobs.request.delivery import cloud_target
from jobs.request.display import canonical, fingerprint, redact_request
from jobs.request.plain import MAX_DEPTH, MAX_SIZE_BYTES
from jobs.request.size import Size, size_of
from jobs.request.split import MAX_NAME_LENGTH, split_request

__all__ = [
    "MAX_DEPTH",
    "MAX_NAME_LENGTH",
    "MAX_SIZE_BYTES",
    "Size",
    "canonical",
    "check_request",
    "cloud_target",
    "fingerprint",
    "redact_request",
    "size_of",
    "split_request",
]
