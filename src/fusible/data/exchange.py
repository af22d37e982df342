"""Two paths that change places in one step, so that there is no moment at which nothing stands in either."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

HERE = -100
"""AT_FDCWD: paths are relative to the working directory."""
EXCHANGE = 2
"""RENAME_EXCHANGE of Linux's renameat2 (man 2 rename)."""


def exchanged(one: Path, other: Path) -> bool:
    """Let two paths on one file system change places; false, and nothing done, where the system cannot.

    >>> exchanged(Path("nowhere"), Path("nowhere else"))
    False
    """
    if not sys.platform.startswith("linux"):
        return False
    call = getattr(ctypes.CDLL(None), "renameat2", None)  # of glibc from 2.28 on
    return call is not None and call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0
