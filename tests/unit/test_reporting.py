"""The lines on stderr."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from planet_sdk.reporting import AssetStatusBar, StateBar, TransferBar, TransferBars

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_transfer_bar_on_a_terminal_shows_the_path_and_how_much_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with TransferBars() as bars:
        bars.show(Path("an-order/scene.tif"), 500_000, 1_000_000)
        bars.show(Path("an-order/other.tif"), 10, None)
        bars.show(Path("an-order/scene.tif"), 1_000_000, 1_000_000)
        bars.close(Path("an-order/scene.tif"))
        bars.close(Path("an-order/never-shown.tif"))

    written = terminal.getvalue()
    assert re.search(r"\ran-order/scene.tif:  50%\|", written)
    assert re.search(r"\ran-order/scene.tif: 100%\|.* 0.95k/0.95k", written), "in units of MiB, as the guide prints it"
    assert "an-order/other.tif: 10.0B" in written
