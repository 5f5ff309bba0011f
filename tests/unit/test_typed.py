"""Code that uses the packages is type-checked against them, as mypy does it for a user: strictly, and from outside."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
CACHE = TESTS.parent / ".mypy_cache" / "typed"


def test_a_program_that_uses_the_packages_is_typed_and_its_slips_are_found(tmp_path: Path) -> None:
    """mypy --strict accepts the sample as it stands, and finds every slip that is marked in misuse.py, and no other."""
    for program in ("sample.py", "misuse.py"):
        shutil.copy(TESTS / "typed" / program, tmp_path)
    options = ["--strict", "--config-file=", "--no-error-summary", f"--cache-dir={CACHE}"]

    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "sample.py", "misuse.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("", 0), done.stderr
