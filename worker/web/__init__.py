"""The web process: probes, read-only JSON, and a page on which people see the fleet work.

It has no authentication yet, which is why it listens on loopback unless it is told otherwise.
"""

from __future__ import annotations

from worker.web.app import create_app
from worker.web.server import run_web

__all__ = ["create_app", "run_web"]
