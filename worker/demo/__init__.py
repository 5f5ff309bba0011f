"""The demo: a private fleet against a simulated Planet, and proof of what it did."""

from __future__ import annotations

from worker.demo.show import run_demo

__all__ = ["run_demo"]
