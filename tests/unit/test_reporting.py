"""The lines on stderr."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from planet_sdk.reporting import AssetStatusBar, StateBar, TransferBar

if TYPE_CHECKING:
    import pytest


def test_the_state_bar_writes_what_the_guide_shows(capsys: pytest.CaptureFixture[str]) -> None:
    with StateBar(state="creating") as bar:
        assert re.fullmatch(r"\d\d:\d\d - order  - state: creating", str(bar))
        bar.update(state="created", order_id="an-id")
        bar.update_state("running")
        assert re.fullmatch(r"\d\d:\d\d - order an-id - state: running", str(bar))

    written = capsys.readouterr().err
    assert re.search(r"\r\d\d:\d\d - order an-id - state: created", written)
    assert re.search(r"\r\d\d:\d\d - order an-id - state: running", written)


def test_a_state_bar_keeps_what_an_update_does_not_name() -> None:
    with StateBar(order_id="an-id", state="queued") as bar:
        bar.update()
        assert (bar.order_id, bar.state) == ("an-id", "queued")


def test_a_disabled_bar_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with StateBar(disable=True) as bar:
        bar.update(state="running", order_id="an-id")

    assert capsys.readouterr().err == ""


def test_a_bar_can_be_updated_before_it_is_open() -> None:
    bar = StateBar()
    bar.update(state="queued")

    assert bar.state == "queued"


def test_the_asset_bar_names_the_asset_and_its_status() -> None:
    with AssetStatusBar("PSScene", "an-item", "ortho_visual") as bar:
        bar.update("activating")
        assert re.fullmatch(r"\d\d:\d\d - PSScene an-item ortho_visual - status: activating", str(bar))


def test_a_transfer_bar_writes_nothing_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with TransferBar(Path("an-order/scene.tif")) as show:
        show(10, None)
        show(400, 1000)
        show(0, 1000)
        show.rename(Path("other.tif"))

    assert capsys.readouterr().err == ""
