"""A lock on a file that may be renamed while somebody waits for it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

_log = logging.getLogger(__name__)

_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def open_locked(path: Path) -> int:
    """Return a descriptor of the file, made if missing, that nobody else holds; closing it gives the lock back.

    Its last owner may have renamed or removed it between opening and locking, so that is looked at again.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: it cannot be opened; a symbolic link is not followed.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            _lock(descriptor, path)
            if is_same_file(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
        _log.warning("folder does not support locks; two processes must not write to it", extra={"path": str(path)})


def is_same_file(descriptor: int, path: Path) -> bool:
    """Tell whether the path still names the file that was opened."""
    mine = os.fstat(descriptor)
    try:
        theirs = path.lstat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)
