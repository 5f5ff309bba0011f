"""Pages are rendered here; everything that is put into one is escaped."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from worker import wording

_PAGES = Environment(
    loader=PackageLoader("worker.web"),
    autoescape=True,
    undefined=StrictUndefined,
)
_PAGES.filters.update(
    age=wording.age,
    plural=wording.plural,
    duration=wording.duration,
    pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    sentence=wording.sentence,
    size=wording.size,
)


def _mark_code(text: str) -> Markup:
    """The text, escaped, with what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 — escaped in this very line


_PAGES.filters["code"] = _mark_code


def compile_pages() -> None:
    """Compile all pages, a quarter of a second's work, so that whoever asks first does not wait for it."""
    for name in _PAGES.list_templates():
        _PAGES.get_template(name)


def render(name: str, request: Request, **values: Any) -> str:
    """A page as HTML. `now` is given to each, and `root`, the path under which the application is mounted."""
    known = {"now": datetime.now(UTC), "root": root_of(request)}
    return _PAGES.get_template(name).render(known | values)


def root_of(request: Request) -> str:
    """The path under which the application is mounted, without a slash at its end."""
    root: str = request.scope.get("root_path", "").rstrip("/")
    return root
