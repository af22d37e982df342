"""Where a moment of a film is: a file and a span of it, written as one address with a media fragment.

`talk.mp4#t=12,15.5` are the seconds 12 to 15.5 of `talk.mp4`: W3C Media Fragments URI 1.0, of which the path is left as
it is, and which browsers play.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fusible.data.kinds import full_path

_FRAGMENT = re.compile(r"(?P<file>.+)#t=(?P<start>\d+(?:\.\d+)?),(?P<end>\d+(?:\.\d+)?)", re.DOTALL)


class Moment(NamedTuple):
    """The span from `start` to `end` seconds of a file."""

    file: str
    start: float
    end: float

    def address(self) -> str:
        """File and span as one text, times to the millisecond.

        >>> Moment("talk.mp4", 12.0, 15.5).address()
        'talk.mp4#t=12,15.5'
        """
        return self.file + self.fragment()

    def fragment(self) -> str:
        """The span as a media fragment."""
        return f"#t={_seconds(self.start)},{_seconds(self.end)}"


def read_moment(text: str) -> Moment | None:
    """The moment that an address tells, None for any other text.

    >>> read_moment("talk.mp4#t=12,15.5")
    Moment(file='talk.mp4', start=12.0, end=15.5)
    """
    found = _FRAGMENT.fullmatch(text)
    if found is None or float(found["start"]) >= float(found["end"]):
        return None
    return Moment(found["file"], float(found["start"]), float(found["end"]))


def placed(text: object, table: str) -> Moment | None:
    """The moment that an address of a table at this path tells, its file as an absolute path that is there now."""
    moment = read_moment(text) if isinstance(text, str) else None
    if moment is None or not table:
        return None
    root = Path(table) if Path(table).is_dir() else Path(table).parent
    try:
        return moment._replace(file=full_path(root / moment.file)) if (root / moment.file).is_file() else None
    except (OSError, ValueError):
        return None


def _seconds(time: float) -> str:
    return f"{time:.3f}".rstrip("0").rstrip(".")
