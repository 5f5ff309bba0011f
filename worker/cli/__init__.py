"""The command line, `planet-orders`."""

from __future__ import annotations

from worker.cli.app import main

__all__ = ["main"]
