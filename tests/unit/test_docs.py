"""The pages and the files to deploy hold what the code holds: settings, commands, reasons, names of tests, links."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic.fields import FieldInfo

import planet_sdk
from jobs import keys
from jobs.run import Stage, State
from planet_sdk.limits import RequestKind
from worker.budget import BudgetUse
from worker.cli.app import app
from worker.metrics import FleetMetrics, Seen
from worker.settings import Settings
from worker.settings_report import _variables_of

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
OPERATIONS = ROOT / "docs" / "operations.md"
FAILURES = ROOT / "docs" / "failures.md"
DIFFERENCES = ROOT / "docs" / "differences.md"
REFERENCE = ROOT / "docs" / "reference"
DEPLOY = ROOT / "deploy"
ROOMS = ("planet_sdk", "jobs", "worker")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


NOTHING_SEEN = Seen(
    runs=dict.fromkeys(State, 0),
    waiting=dict.fromkeys(Stage, 0),
    oldest_s=dict.fromkeys(Stage, 0.0),
    in_hand={},
    due=0,
    oldest_due_s=0,
    parked=0,
    watch_late_s=0,
    is_watched=False,
    workers={},
    slots=0,
    busy=0,
    lag_s=0,
    batches=0,
    set_aside=0,
    budget=[BudgetUse(RequestKind.GET, 3, 1, used=0, waiting=0, paused_s=0, pace=1)],
    sums={"stage|wait|done|1": 1},
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def shown_default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "host and process"
    return "unset" if field.default is None else f"`{field.default}`"


def settings_table() -> str:
    """The table as the page has to show it: paste it there after a change of a setting."""
    rows = [
        f"| `{_variables_of(name, field)[0]}` | {shown_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows])


def test_the_table_of_settings_is_the_settings() -> None:
    assert settings_table() in read(OPERATIONS), f"the table in {OPERATIONS} has to be:\n\n{settings_table()}\n"


def metrics_table() -> str:
    """The table of metrics as the page has to show it."""
    rows = []
    for metric in FleetMetrics(NOTHING_SEEN).collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = sorted({label for sample in metric.samples for label in sample.labels} - {"le"})
        rows.append(
            f"| `{name}` | {metric.type} | {', '.join(f'`{each}`' for each in labels)} | {metric.documentation} |"
        )
    return "\n".join(["| metric | type | labels | what it says |", "|---|---|---|---|", *rows])


def test_the_table_of_metrics_is_the_metrics() -> None:
    assert metrics_table() in read(OPERATIONS), f"the table in {OPERATIONS} has to be:\n\n{metrics_table()}\n"


def test_what_alerts_and_dashboards_ask_for_is_a_metric() -> None:
    """Each name of a metric, and each label of its, in the files for Prometheus and Grafana."""
    known = {
        sample.name: set(sample.labels) for metric in FleetMetrics(NOTHING_SEEN).collect() for sample in metric.samples
    }
    files = [*(DEPLOY / "prometheus").glob("*.yml"), *(DEPLOY / "grafana").glob("*.json")]
    asked = [found for file in files for found in re.findall(r"\b(planet_orders_\w+)(?:\{([^}]*)\})?", read(file))]
    unknown = {name for name, _ in asked} - set(known)
    labels = {(name, label) for name, picked in asked for label in re.findall(r"(\w+)\s*(?:=~?|!~|!=)", picked)}

    assert len(asked) > 30
    assert unknown == set()
    assert {(name, label) for name, label in labels if label not in known[name]} == set()


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of the repository, and to headings of pages."""
    broken = [target for target in re.findall(r"\]\(([^)\s]+)\)", read(page)) if not leads_somewhere(page, target)]
    assert broken == []


def leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"\w+:", target):
        return True
    name, _, heading = target.partition("#")
    there = (page.parent / name) if name else page
    return there.exists() and (not heading or heading in headings(there))


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands_on(page: Path) -> Iterator[tuple[str, list[str]]]:
    """What a page tells people to type after `planet-orders`: the command, and its long options."""
    for line in re.findall(r"planet-orders +([a-z][^\n`|&]*)", read(page)):
        command, *rest = line.split()
        yield command, [word.partition("=")[0] for word in rest if word.startswith("--")]


def options_of(command: Any) -> Iterator[str]:
    """The options of a command, and of those below it."""
    yield from (option for each in command.params for option in each.opts)
    for below in getattr(command, "commands", {}).values():
        yield from options_of(below)


@pages
def test_every_command_and_option_on_a_page_exists(page: Path) -> None:
    commands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    options = {name: set(options_of(command)) for name, command in commands.items()}

    unknown = [
        f"{command} {' '.join(given)}"
        for command, given in commands_on(page)
        if command not in options or set(given) - options[command] - {"--help"}
    ]
    assert unknown == []


@pages
def test_every_variable_on_a_page_is_a_setting(page: Path) -> None:
    known = {variable for name, field in Settings.model_fields.items() for variable in _variables_of(name, field)}
    named = set(re.findall(r"\bORDERS_[A-Z_]+[A-Z]\b", read(page)))
    assert named <= known


@cache
def said_by_the_code() -> tuple[str, ...]:
    """Every text in the rooms; of a text with values in it, the pieces between them."""
    trees = (ast.parse(read(path)) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return tuple(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_reason_on_the_page_of_failures_is_said_by_the_code() -> None:
    """A quoted reason stands in « »; `…` is a value."""
    reasons = re.findall(r"«(.+?)»", read(FAILURES))
    pieces = [piece.strip() for reason in reasons for piece in reason.split("…") if piece.strip()]
    invented = [piece for piece in pieces if not any(piece in text for text in said_by_the_code())]

    assert len(reasons) > 20
    assert invented == []


def test_every_test_that_a_difference_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", read(DIFFERENCES)))
    sources = "\n".join(read(path) for path in (ROOT / "tests").rglob("test_*.py"))

    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_the_reference_is_what_the_docstrings_say(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "make_reference.py", tmp_path], check=True)
    stale = [page.name for page in tmp_path.iterdir() if read(page) != read(REFERENCE / page.name)]

    assert stale == [], "`make docs` writes them anew"
    assert {page.name for page in tmp_path.iterdir()} == {page.name for page in REFERENCE.iterdir()}


def test_the_reference_has_every_public_name_with_what_it_takes_and_raises() -> None:
    page = read(REFERENCE / "planet_sdk.md")
    _, _, section = page.partition("### data_filter.range_filter\n")

    assert set(planet_sdk.__all__) - {"__version__"} <= set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert section.startswith("\n```python\ndef range_filter(\n    field_name: str,\n")
    assert "**Arguments**\n\n- `field_name`: the property that holds the number.\n" in section
    assert "**Raises**\n\n- `ClientError`: there is no bound, or one is NaN or infinite.\n" in section
    assert "### DataClient.wait_asset\n" in page, "inherited from a class that is not public"


def test_the_page_of_operations_points_to_the_keys() -> None:
    assert keys.__doc__ is not None
    assert "(../jobs/keys.py)" in read(OPERATIONS)


def test_every_deployment_gives_a_worker_the_time_it_takes_to_stop() -> None:
    """Ten seconds more than running jobs get: five to hand the rest back, five to report the end."""
    (image_s,) = re.findall(r"ORDERS_STOP_WAIT_S=(\d+)", read(DEPLOY / "Dockerfile"))
    unit = read(DEPLOY / "systemd" / "planet-orders-worker@.service")
    (unit_s,) = re.findall(r"ORDERS_STOP_WAIT_S=(\d+)", unit)
    (unit_limit_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    worker = read(DEPLOY / "compose.yaml").partition("\n  worker:")[2].partition("\n  web:")[0]
    (compose_limit_s,) = re.findall(r"stop_grace_period: (\d+)s", worker)
    (pod_limit_s,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", read(DEPLOY / "kubernetes" / "worker.yaml"))

    assert int(unit_limit_s) > int(unit_s) + 10
    assert min(int(compose_limit_s), int(pod_limit_s)) > int(image_s) + 10


def test_what_the_image_is_made_of_is_there_and_reaches_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read(DEPLOY / "Dockerfile"), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    ignored_not = set(re.findall(r"^!(.+)$", read(DEPLOY / "Dockerfile.dockerignore"), re.MULTILINE))

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {source.partition("/")[0] for source in sources} == ignored_not
