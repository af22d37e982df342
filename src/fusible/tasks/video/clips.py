"""Whole clips: tables of videos with a label each, and the tags that a model of such clips gives to a film's shots."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from fusible.data.dataset import Dataset
from fusible.data.film_writer import write_film
from fusible.data.kinds import resolve
from fusible.data.read import read
from fusible.data.transcript import ENDINGS, Transcript, read_transcript
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.evaluation.metrics import decide
from fusible.tasks.model import Model
from fusible.tasks.video.shots import Shot
from fusible.tasks.video.timeline import TAG, Entry
from fusible.tasks.video.watching import Watched
from fusible.types import Media, Modality, Problem, Role

TRANSCRIPT = "transcript"
"""Column of what is said that is looked for where none is named."""
CHUNK = 64
"""Shots that lie on disk, and are looked at, together."""
HEIGHT = 360
"""Height to which shots of taller films are shrunk: encoders look at smaller pictures yet."""
KINDS = ("binary", "multiclass", "multilabel")


def clip_table(data: Any, target: str, *, file: str | None = None, transcript: str | None = None) -> Dataset:
    """Read a table of clips for `fusible.fit`: a video per row, what is said in it where that is known, and its label.

    Parameters
    ----------
    data : path, pandas.DataFrame or pyarrow.Table
        See `fusible.read`.
    target : str
        Column of labels; lists of labels (JSON Lines, Parquet) learn which of them are there.
    file : str, optional
        Column of videos; default: the only one.
    transcript : str, optional
        Column of what is said: texts, or SRT and WebVTT files. Default: the one called `transcript`, if any.

    All other columns are ignored, but for those of the split and of groups. Raises `SchemaError` where there is no such
    column.
    """
    first = read(data, target=target)
    inputs = first.names(Role.INPUT)
    videos = [name for name in inputs if first.columns[name].modality is Modality.VIDEO]
    if file is None and len(videos) != 1:
        found = f"{len(videos)} of them: {', '.join(videos)}" if videos else f"none among {', '.join(inputs)}"
        raise SchemaError(f"clips: expected one column of videos, got {found}; name the one to use")
    picture = file or videos[0]
    said = transcript or (TRANSCRIPT if TRANSCRIPT in inputs and picture != TRANSCRIPT else None)
    for name in (picture, *([] if said is None else [said])):
        if name not in first.columns or name == target:
            raise SchemaError(f"clips: no column {name!r}; columns are {', '.join(first.table.column_names)}")
    columns = dict.fromkeys(inputs, ":ignore") | {picture: "video:input"}
    if said is not None:
        columns[said] = "text:input"
    dataset = read(data, columns=columns, target=target)
    return dataset if said is None else _spoken(dataset, said)


def _spoken(dataset: Dataset, column: str) -> Dataset:
    """The same with what transcript files say in place of their names; one that cannot be read is empty, and named."""
    cells, lost = dataset.table.column(column).to_pylist(), []
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and cell.strip().lower().endswith(ENDINGS):
            try:
                cells[row] = " ".join(cue.text for cue in read_transcript(resolve(cell, dataset.root)).cues)
            except DataError as error:
                cells[row] = None
                lost.append((row, str(error)))
    table = dataset.table.set_column(
        dataset.table.column_names.index(column), column, pa.array(cells, pa.large_string())
    )
    found = replace(dataset, table=table)
    if lost:
        message = f"{len(lost)} transcripts cannot be read, taken as empty; the first: {lost[0][1]}"
        found.note(Problem("unreadable", column, message, tuple(row for row, _ in lost[:100]), len(lost)))
    return found


class ShotTagger:
    """Tags shots by a model of clips, as entries of the lane `tag`: a shot is a clip.

    Each shot is cut out of the film and written as a small mp4, as the model learned from files: a second reading, by
    seeking. What is said in it goes into the model's column of texts; other columns but the video's are left empty.
    Several labels per clip give an entry each. A model of two classes names its target, too.
    """

    def __init__(self, model: Model) -> None:
        inputs = [column for column in model.columns if column.role is Role.INPUT]
        videos = [column.name for column in inputs if column.modality is Modality.VIDEO]
        texts = [column.name for column in inputs if column.modality is Modality.TEXT]
        kind = model.target.task.kind
        if len(videos) != 1 or len(texts) > 1 or kind not in KINDS:
            got = f"{len(videos)} columns of videos and {len(texts)} of texts, for {kind}"
            raise ConfigError(
                f"video: expected a model of events, or of classes of videos with a text at most, got one of {got}; "
                "make one with `fusible video fit`"
            )
        self.model, self._video, self._text = model, videos[0], texts[0] if texts else None
        self._empty = [column.name for column in inputs if column.name not in {*videos, *texts}]

    def taker(self) -> None:
        """Nothing is taken while the film is read."""

    def entries(
        self, taker: Any, media: Media, watched: Watched, said: Transcript | None
    ) -> tuple[list[Entry], list[str]]:
        """Tags of all shots, and which could not be looked at."""
        warnings = [f"no tags from {', '.join(self._empty)}: a film has no such column"] if self._empty else []
        found: list[Entry] = []
        shots = watched.shots
        for first in range(0, len(shots), CHUNK):
            with tempfile.TemporaryDirectory(prefix="fusible-") as folder:
                cut = list(_cut(media, shots[first : first + CHUNK], Path(folder), warnings))
                if cut:
                    found += self._tags(cut, said, warnings)
        return found, warnings

    def _tags(self, cut: Sequence[tuple[Shot, Path]], said: Transcript | None, warnings: list[str]) -> Iterator[Entry]:
        table = pd.DataFrame({self._video: [str(path) for _, path in cut]})
        if self._text is not None:
            table[self._text] = [None if said is None else said.during(s.start, s.end) or None for s, _ in cut]
        for name in self._empty:
            table[name] = None
        dataset = self.model.read(table)
        scores = self.model.predict_scores(dataset)
        warnings += [problem.message for problem in dataset.problems]
        task, labels = self.model.target.task, self.model.target.labels()
        lead = f"{self.model.target.column}: " if task.kind == "binary" else ""
        for (shot, _), row, chosen in zip(cut, scores, decide(task, scores, self.model.threshold), strict=True):
            places = [i for i, on in enumerate(chosen) if on] if task.kind == "multilabel" else [int(chosen)]
            for place in sorted(places, key=lambda i: -row[i]):
                yield Entry(TAG, shot.start, shot.end, f"{lead}{labels[place]}", float(row[place]))


def _cut(media: Media, shots: Sequence[Shot], folder: Path, warnings: list[str]) -> Iterator[tuple[Shot, Path]]:
    """Shots that could be written, with their files."""
    for number, shot in enumerate(shots):
        path = folder / f"{number}.mp4"
        try:
            write_film(media, [(shot.start, shot.end)], path, height=HEIGHT)
        except (DataError, ConfigError) as error:
            warnings.append(f"no tags from {shot.start:.1f} to {shot.end:.1f} s: {error}")
            continue
        yield shot, path
