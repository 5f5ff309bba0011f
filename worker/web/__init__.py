"""The web process: probes, Planet's calls, the HTTP API of producers, and a page on which people see the fleet work."""

from __future__ import annotations

from worker.web.app import create_app
from worker.web.server import run_web

__all__ = ["create_app", "run_web"]
