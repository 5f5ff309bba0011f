"""Exit statuses: what the page, the help and the code say of them is the same, and so is what commands return."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.run import State
from tests.integration.cli.terminal import Command
from tests.processes import COMMAND
from worker.cli.exits import Exit

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
NOBODY = "01JD0000000000000000000000"


def rows_of(title: str) -> list[list[str]]:
    """The table below a heading of the page, without its head."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")]
        for row in re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]
    ]


def test_the_page_tells_each_status_and_no_other() -> None:
    assert [int(status) for status, _ in rows_of("Exit status")] == [status.value for status in Exit]


def test_the_help_says_what_the_page_says(command: Command) -> None:
    told = command("--help").out
    general = {int(status): text for status, text in rows_of("Exit status") if not text.startswith("of `check`")}
    for status, text in general.items():
        assert re.search(rf"^ *{status} +{re.escape(re.split('; ', text)[0])}", told, re.MULTILINE), f"{status}: {text}"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["status"], Exit.OK),
        (["--help"], Exit.OK),
        ([], Exit.OK),
        (["status", NOBODY], Exit.FAILED),
        (["retry", NOBODY], Exit.FAILED),
        (["check"], Exit.FAILED),
        (["token", "revoke", "nobody"], Exit.FAILED),
        (["list", "--state", "lost"], Exit.USAGE),
        (["nonsense"], Exit.USAGE),
        (["submit", "nowhere.json"], Exit.USAGE),
        (["events", "--after", "x"], Exit.USAGE),
        (["watch", NOBODY, "--batch", NOBODY], Exit.USAGE),
    ],
    ids=str,
)
def test_commands_return_what_the_page_promises(command: Command, arguments: list[str], status: Exit) -> None:
    assert command(*arguments).status == status


@pytest.mark.parametrize("arguments", [["status"], ["list", "--json"], ["events", "--follow"], ["watch"], ["check"]])
def test_without_redis_the_status_is_3_and_standard_output_is_for_results(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/none")
    outcome = command(*arguments)
    assert outcome.status == Exit.UNREACHABLE
    assert arguments == ["check"] or (outcome.out == "" and len(outcome.err.splitlines()) == 1)


@pytest.mark.parametrize(("variable", "status"), [("ORDERS_DESTINATION", 4), ("PL_API_URL", 5)])
def test_check_has_statuses_of_its_own(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, status: int
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PL_API_KEY", "nobody's")
    monkeypatch.setenv(
        variable, {"ORDERS_DESTINATION": f"{tmp_path}/file", "PL_API_URL": "http://127.0.0.1:1"}[variable]
    )
    outcome = command("check", "--planet")
    assert status in {Exit.DESTINATION, Exit.PLANET}
    assert f"{'destination' if status == Exit.DESTINATION else 'planet':<12} FAILED" in outcome.out
    assert outcome.status == Exit.FAILED, "the first that fails decides: no worker is alive"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_states_soon(shell: str) -> None:
    """Without anything being asked of Redis, or imported that is slow."""
    environment = {**os.environ, "_PLANET_ORDERS_COMPLETE": f"complete_{shell}"}

    def complete(*words: str) -> str:
        line = " ".join(["planet-orders", *words])
        words_of = {"COMP_WORDS": line, "COMP_CWORD": str(len(words)), "_TYPER_COMPLETE_ARGS": line}
        more = words_of | {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        done = subprocess.run([COMMAND], env=environment | more, capture_output=True, text=True, check=False)
        return done.stdout

    assert "events" in complete("ev")
    assert all(state.value in complete("list", "--state", "") for state in (State.DONE, State.PARTIAL))
    assert "high" in complete("submit", "--priority", "h")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_can_be_shown(shell: str) -> None:
    environment = {**os.environ, "_PLANET_ORDERS_COMPLETE": f"source_{shell}"}
    shown = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, check=False).stdout
    assert f"complete_{shell}" in shown
    assert "planet-orders" in shown


def test_completion_imports_nothing_that_is_slow() -> None:
    slow = "('redis', 'pydantic', 'jobs.run')"
    program = f"import sys; import worker.cli; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
