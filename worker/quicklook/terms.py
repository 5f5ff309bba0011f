"""What the process that makes a picture and the one that asks for it must agree on."""

from __future__ import annotations

EXIT_NO_PICTURE = 3
CPU_S = 20
MEMORY_BYTES = 2 * 1024 * 1024 * 1024  # of addresses, of which the libraries' own take a quarter


class NoPicture(Exception):
    """There is no picture of a file; the text says why, to people."""
