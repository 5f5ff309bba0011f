from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from planet_sdk import exceptions
from planet_sdk.exceptions import PlanetError

PATH = Path("scene.tif")
ERRORS = [
    PlanetError("text"),
    exceptions.TooManyRequests("text", status=429, headers={"Retry-After": "1"}, body="text"),
    exceptions.RequestError("text", may_have_reached=True, method="GET", url="https://planet.example"),
    exceptions.SpecificationException("analitic", ["analytic"], "bundle"),
    exceptions.ChecksumMismatch("text", ["scene.tif: missing"]),
    exceptions.TransferIncomplete(PATH, 1, 2),
    exceptions.TransferCorrupt(PATH, "md5", "a", "b"),
    exceptions.TransferBusy(PATH),
    exceptions.FileConflict(PATH, "another file lies there"),
    exceptions.LinkExpired(PATH, 403),
    exceptions.UnsafeName("../x", PATH),
    exceptions.UnsafeLink("https://10.0.0.1/x?token=y", "it is not public"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_can_be_copied_and_cross_processes_with_all_it_says(error: PlanetError) -> None:
    """An error that cannot be unpickled breaks the whole process pool that it was raised in."""
    error.add_note("a note")

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), vars(twin), twin.args) == (str(error), vars(error), error.args)
