"""The spans that films are cut into for search: shots, a fixed grid, or the rows of a table."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.errors import ConfigError, DataError
from fusible.tasks.video._events_table import read_spans
from fusible.tasks.video.watching import Watched

EVERY = (0.1, 3600.0)
"""Least and greatest length of the spans of a grid, in seconds."""
STEP = 0.25
"""Seconds between the pictures that key frames are taken from."""
FINEST = 0.04

Span = tuple[float, float, str]
"""Start and end in seconds, and a label, "" without one."""


class Cutter:
    """Says which spans a film is cut into: its shots, or spans of `every` seconds, or those that a table has of it.

    Raises `ConfigError` or `DataError` for settings, or a table, that cannot be used.
    """

    def __init__(self, every: float | None = None, table: Any = None) -> None:
        if every is not None and table is not None:
            raise ConfigError("moments: expected spans of one kind, got a table and --every; leave one out")
        if every is not None and not EVERY[0] <= every <= EVERY[1]:
            raise ConfigError(f"moments: expected spans of {EVERY[0]:g} to {EVERY[1]:g} seconds, got {every:g}")
        self.every = every
        self._rows, self._root = _table(table)

    def step(self, file: Path) -> float:
        """Seconds between pictures: at least one falls into each span that is known before a film is watched."""
        if self._rows is None:
            return STEP if self.every is None else min(STEP, self.every / 2)
        own = self._own(self._rows, file)
        return float(min(STEP, max(FINEST, (own["end"] - own["start"]).min() / 2)))

    def spans(self, file: Path, watched: Watched) -> tuple[list[Span], list[str]]:
        """Spans in order, none twice, none beyond the film's end; and what was left out."""
        if self._rows is not None:
            return _within(self._own(self._rows, file), watched.seconds)
        if self.every is not None:
            return _grid(self.every, watched.seconds), []
        shots = [(shot.start, shot.end, "") for shot in watched.shots if shot.end > shot.start]
        return shots or ([(0.0, watched.seconds, "")] if watched.seconds > 0 else []), []

    def _own(self, rows: pd.DataFrame, file: Path) -> pd.DataFrame:
        """Rows of one film: those that name its path, relative to the table or not, else those of its name."""
        cells = [Path(cell) for cell in rows["file"]]
        places = np.array([_absolute(cell if self._root is None else self._root / cell) for cell in cells])
        names = np.array([cell.name for cell in cells])
        for found in (places == _absolute(file), names == file.name):
            if found.any():
                own: pd.DataFrame = rows.loc[found]
                return own
        raise DataError(f"{file}: the table of spans has no row of it; name it in its column of files")


def _table(table: Any) -> tuple[pd.DataFrame | None, Path | None]:
    if table is None:
        return None, None
    rows, _, root = read_spans(table, {}, labelled=False)
    if "label" not in rows:
        rows["label"] = ""
    rows["file"] = rows["file"].astype(str)
    return rows, root


def _absolute(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100  (a link keeps its name)


def _grid(every: float, seconds: float) -> list[Span]:
    """Spans of one length; a rest of less than half of it belongs to the last."""
    count = max(1, int(seconds / every + 0.5))
    edges = [*(np.arange(count) * every).tolist(), seconds]
    return [(start, end, "") for start, end in pairwise(edges)]


def _within(rows: pd.DataFrame, seconds: float) -> tuple[list[Span], list[str]]:
    """Spans of a table that lie in the film; labels of one span are joined."""
    labels: dict[tuple[float, float], list[str]] = {}
    late = 0
    for start, end, label in rows[["start", "end", "label"]].itertuples(index=False):
        if float(start) >= seconds:
            late += 1
            continue
        span = (round(float(start), 3), round(min(float(end), seconds), 3))
        held = labels.setdefault(span, [])
        if str(label).strip() not in held:
            held.append(str(label).strip())
    spans = [(start, end, ", ".join(filter(None, labels[start, end]))) for start, end in sorted(labels) if start < end]
    return spans, [f"{late} spans begin after the film's end, at {seconds:.1f} s, and are left out"] if late else []
