"""Tables of labelled spans: films, what is labelled in each, and which part of the split it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.data.transcript import read_transcript
from fusible.errors import DataError, SchemaError
from fusible.tasks.video._events_films import FILES, films_of, frame_of, in_parts, matched
from fusible.tasks.video._events_tracks import Cue, Sources
from fusible.types import Media, Problem

NAMES = {
    "file": FILES,
    "start": ("start", "start_s", "begin", "start_seconds", "onset"),
    "end": ("end", "end_s", "stop", "end_seconds", "offset"),
    "label": ("label", "event", "class", "word", "tag"),
}
"""Names by which columns are found where none is given."""


@dataclass(slots=True)
class Labelled:
    """Films and their labelled events.

    Of film i, `spans[i]` (events, 2) are in seconds, `labels[i]` (events,) name them, `rows[i]` are their rows in the
    table of spans. `split` numbers films. `columns` are the names of the columns that were read.
    """

    films: list[Sources]
    spans: list[np.ndarray]
    labels: list[np.ndarray]
    rows: list[np.ndarray]
    split: Split
    columns: dict[str, str]
    problems: list[Problem] = field(default_factory=list)


def labelled(
    spans: Any,
    films: Any = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    cues: Mapping[str, Sequence[Cue]] | None = None,
    seed: int = 0,
) -> Labelled:
    """Read a table of spans, and a table of films where there is one.

    `columns` names those of file, start, end and label in `spans`, and of sound and transcript in `films`, where they
    are not found by `NAMES`. `cues` {file: cues} are transcripts that are read already. `films` may be a folder, too. A
    `split` column gives the parts, that of the films first, else they are drawn, film by film.
    """
    given = dict(columns or {})
    table, names, root = read_spans(spans, given)
    told, place = films_of(films, table, root, given)
    table["file"] = matched(table["file"], told, root, place)
    problems: list[Problem] = []
    told = in_parts(told, table, problems)
    known = {name: i for i, name in enumerate(told["file"])}
    sources = [_sources(row, i, place, cues or {}, problems) for i, row in enumerate(_records(told))]
    found = Labelled(sources, *_by_film(table, known), _split(told, seed), names, problems)
    problems += _overlapping(found)
    return found


def _column(table: pd.DataFrame, key: str, given: str | None) -> str:
    if given is not None:
        if given not in table:
            raise SchemaError(f"spans: no column {given!r} ({key}); columns are {', '.join(map(str, table))}")
        return given
    for name in NAMES[key]:
        if name in table:
            return name
    hint = (
        "; whole files with a label each are learned by `fusible video fit --target`" if key in {"start", "end"} else ""
    )
    raise SchemaError(
        f"spans: no column for the {key} of a span, expected one called {' or '.join(NAMES[key][:3])}; "
        f"columns are {', '.join(map(str, table))}; name it{hint}"
    )


def read_spans(
    source: Any, given: Mapping[str, str | None], *, labelled: bool = True
) -> tuple[pd.DataFrame, dict[str, str], Path | None]:
    """Table of spans with columns `file`, `start`, `end` and `label`, how these are called, and its paths' folder.

    Without `labelled` a column of labels may be lacking. Raises `SchemaError` for another column that is, `DataError`
    for a row that is no span.
    """
    wanted = {given.get(key) or name for key in ("start", "end") for name in NAMES[key]}
    table, root = frame_of(source, sorted(wanted))
    asked = [key for key in NAMES if labelled or key != "label" or any(name in table for name in NAMES["label"])]
    names = {key: _column(table, key, given.get(key)) for key in asked}
    table = table.rename(columns={name: key for key, name in names.items()})
    _check(table, names)
    return table, names, root


def _check(table: pd.DataFrame, names: Mapping[str, str]) -> None:
    """Refuse the first row that is no span, by its number."""
    start, end = (pd.to_numeric(table[key], errors="coerce").to_numpy(float) for key in ("start", "end"))
    for key, values in (("start", start), ("end", end)):
        odd = np.flatnonzero(~np.isfinite(values))
        if len(odd):
            raise DataError(
                f"spans: row {odd[0]}, column {names[key]!r}: expected seconds, got {table[key].iloc[odd[0]]!r}"
            )
    for key in sorted({"file", "label"} & set(names)):
        odd = np.flatnonzero([not str(cell or "").strip() or cell != cell for cell in table[key]])  # noqa: PLR0124
        if len(odd):
            raise DataError(f"spans: row {odd[0]}, column {names[key]!r}: expected a {key}, got an empty cell")
    if len(odd := np.flatnonzero(start < 0)):
        where = f"spans: row {odd[0]}: begins at {start[odd[0]]:g} s"
        raise DataError(f"{where}, expected 0 or later; times count from the film's first frame")
    if len(odd := np.flatnonzero(end <= start)):
        what = "has no length" if end[odd[0]] == start[odd[0]] else "is reversed"
        where = f"spans: row {odd[0]}: the span {what}, {start[odd[0]]:g} to {end[odd[0]]:g} s"
        raise DataError(f"{where}; expected its start before its end")


def _records(told: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in told.to_dict("records")]


def _sources(
    row: Mapping[str, Any],
    number: int,
    root: Path | None,
    cues: Mapping[str, Sequence[Cue]],
    problems: list[Problem],
) -> Sources:
    """Where one film's views come from; a transcript that cannot be read is named in `problems`."""

    def media(column: str) -> Media | None:
        cell = row.get(column)
        if not isinstance(cell, str) or not cell.strip():
            return None
        return Media(column, number, path=str(cell if root is None else root / cell))

    name = str(row["file"])
    said = cues.get(name)
    transcript = media("transcript")
    if said is None and transcript is not None:
        try:
            said = read_cues(transcript)
        except DataError as error:
            problems.append(Problem("unreadable", "transcript", f"{name}: taken for wordless: {error}", (number,), 1))
    return Sources(name, media("file"), media("sound"), said)


def read_cues(media: Media) -> list[Cue]:
    """Cues of a transcript file: SRT, WebVTT or a table of words."""
    return [(cue.start, cue.end, cue.text) for cue in read_transcript(str(media.path)).cues]


def _by_film(
    table: pd.DataFrame, known: Mapping[str, int]
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    place = table["file"].map(known).to_numpy()
    both = table[["start", "end"]].to_numpy(float)
    names = table["label"].astype(str).str.strip().to_numpy(object)
    spans, labels, rows = [], [], []
    for film in range(len(known)):
        own = np.flatnonzero(place == film)
        own = own[np.argsort(both[own, 0], kind="stable")]
        spans.append(both[own])
        labels.append(names[own])
        rows.append(own)
    return spans, labels, rows


def _split(told: pd.DataFrame, seed: int) -> Split:
    frame = pd.DataFrame({"file": told["file"].astype(str)})
    columns = {"file": "text"}
    if "split" in told:
        frame["split"] = told["split"].to_numpy()
        columns["split"] = "category:split"
    return make_split(read(frame, columns=columns), seed=seed)


def _overlapping(found: Labelled) -> list[Problem]:
    """Spans of one label that overlap in one film: they are kept, and named."""
    pairs = []
    for film, spans, labels, rows in zip(found.films, found.spans, found.labels, found.rows, strict=True):
        last: dict[str, int] = {}  # of each label, the span so far that ends last
        for i, label in enumerate(labels):
            before = last.setdefault(label, i)
            if before != i and spans[i, 0] < spans[before, 1]:
                pairs.append((film.name, label, int(rows[before]), int(rows[i])))
            if spans[i, 1] >= spans[before, 1]:
                last[label] = i
    if not pairs:
        return []
    name, label, one, other = pairs[0]
    message = (
        f"{len(pairs)} pairs of spans of one label overlap; the first are rows {one} and {other} ({label} in {name})"
    )
    return [Problem("overlapping spans", found.columns["label"], message, tuple(p[2] for p in pairs[:100]), len(pairs))]
