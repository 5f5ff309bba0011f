"""`config`: every setting, its value and where it came from."""

from __future__ import annotations

from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from worker.board import open_console
from worker.cli.desk import read_settings
from worker.cli.exits import Exit
from worker.cli.output import print_json
from worker.settings_report import describe_settings


def show_settings(*, as_json: bool) -> Exit:
    """Print all settings; secrets and passwords are hidden."""
    lines = describe_settings(read_settings())
    if as_json:
        print_json([asdict(line) for line in lines])
        return Exit.OK
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    table.add_column("", style="dim", overflow="fold")
    for line in lines:
        changed = "" if line.origin == "default" else "bold"
        table.add_row(
            line.variable, Text(line.value, style=changed), Text(line.origin, style=changed), line.description
        )
    open_console().print(table)
    return Exit.OK
