"""`--json`: what a command prints for programs, in the shapes of the HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer
from pydantic import BaseModel


def print_json(document: BaseModel | Mapping[str, Any] | Sequence[Any]) -> None:
    """One document, as people can read it, too."""
    plain = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    typer.echo(json.dumps(plain, indent=2, default=datetime.isoformat))


def print_line(document: BaseModel | Mapping[str, Any]) -> None:
    """One of several documents that come one after the other, each on a line."""
    plain = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    typer.echo(json.dumps(plain, default=datetime.isoformat))
