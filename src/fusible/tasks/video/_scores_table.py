"""Tables of what people scored in films: spans, or frames, with a score each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.read import read
from fusible.errors import DataError, SchemaError

NAMES = {
    "file": ("file", "film", "video", "path", "filename"),
    "start": ("start", "start_s", "begin", "time", "onset"),
    "end": ("end", "end_s", "stop", "offset"),
    "score": ("score", "importance", "rating", "value"),
    "person": ("person", "annotator", "user", "judge", "rater"),
}
"""Names by which columns are found; `end` and `person` may be absent."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One film, and what each person scored: arrays (spans, 3) of start, end and score, in order of their starts."""

    file: Path
    people: tuple[np.ndarray, ...]

    def on(self, steps: int, step: float) -> np.ndarray:
        """Scores (people, steps) on a grid, those that hold in the middle of each step.

        What a person did not score has the mean of what they did; who scored nothing of the grid is left out.

        >>> Scored(Path("a"), (np.array([[0.0, 1.0, 5.0], [1.0, 1.5, 2.0]]),)).on(4, 0.5).tolist()
        [[5.0, 5.0, 2.0, 4.0]]
        """
        times = (np.arange(steps) + 0.5) * step
        rows = []
        for spans in self.people:
            place = np.searchsorted(spans[:, 0], times, side="right") - 1
            held = (place >= 0) & (times < spans[np.maximum(place, 0), 1])
            if held.any():
                scores = spans[np.maximum(place, 0), 2]
                rows.append(np.where(held, scores, scores[held].mean()))
        return np.array(rows).reshape(len(rows), steps)


def scored(source: Any) -> list[Scored]:
    """Read a table with a row per span or frame: file, start, score, and perhaps end and person; films as they come.

    Times are seconds from the film's first frame. Without ends each score holds until the same person's next, the last
    as long as the one before it. Without persons all scores are one person's. Paths are relative to the table. Raises
    `SchemaError` where a column is missing, `DataError` for a row that is no score or that overlaps another.
    """
    first = read(source)
    names = {key: next((n for n in usual if n in first.table.column_names), None) for key, usual in NAMES.items()}
    for key in ("file", "start", "score"):
        if names[key] is None:
            raise SchemaError(
                f"scores: no column of the {key}, expected one called {' or '.join(NAMES[key][:3])}; columns are "
                f"{', '.join(first.table.column_names)}"
            )
    numbers = {names[key] for key in ("start", "end", "score")}
    kinds = {name: "number" if name in numbers else "text:ignore" for name in first.table.column_names}
    dataset = read(source, columns=kinds)
    told = dataset.to_pandas()
    table = pd.DataFrame({key: told[name] for key, name in names.items() if name is not None})
    if "person" not in table:
        table["person"] = "all"
    for key in ("start", "score", *(("end",) if "end" in table else ())):
        odd = np.flatnonzero(~np.isfinite(pd.to_numeric(table[key], errors="coerce").to_numpy(float)))
        if len(odd):
            raise DataError(f"scores: row {odd[0]}, column {names[key]!r}: expected a number, got an empty or odd cell")
    folder = dataset.root or Path()
    films = []
    for file, rows in table.groupby("file", sort=False):
        people = tuple(_spans(str(file), mine) for _, mine in rows.groupby("person", sort=False))
        films.append(Scored(folder / str(file), people))
    return films


def _spans(file: str, rows: pd.DataFrame) -> np.ndarray:
    """Spans (spans, 3) of one person's rows of one film."""
    rows = rows.sort_values("start", kind="stable")
    starts = rows["start"].to_numpy(float)
    if "end" in rows:
        ends = rows["end"].to_numpy(float)
    else:
        last = starts[-1] - starts[-2] if len(starts) > 1 else np.inf
        ends = np.append(starts[1:], starts[-1] + last)
    if (starts < 0).any() or (ends <= starts).any() or (starts[1:] < ends[:-1] - 1e-6).any():
        raise DataError(
            f"scores: file {file!r}: expected spans of one person that begin at 0 s or later, end after their start "
            "and do not overlap; name people in a column called person"
        )
    return np.stack([starts, ends, rows["score"].to_numpy(float)], axis=1)
