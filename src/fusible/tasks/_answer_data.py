"""Reading a table of pictures, questions and answers: views, classes of answers, a split that keeps pictures whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.errors import SchemaError, TargetError
from fusible.tasks.context import Context
from fusible.tasks.source import Progress, Source
from fusible.tasks.target import Target
from fusible.types import Modality, Task, View, ViewData

PICTURES = "images"
"""Name of the view that joins several columns of pictures."""

RARE = 10
"""Answers of fewer rows are dealt to the parts of a split by chance."""
FEWEST, LARGEST = 20, 0.2
"""Rows that share a picture are kept together where there are so many such groups, none with more of the rows."""


@dataclass(slots=True)
class AnswerTable:
    """What was read. `context` holds rows whose answer training saw; `split` also those whose answer it never saw.

    `truth` (rows,): the class of the answer, -1 where it is none of the classes or null; `cells` are the answers in
    words, "" where null; `questions` are those of all rows, "" where null.
    """

    context: Context
    split: Split
    truth: np.ndarray
    cells: list[str]
    questions: list[str]
    image: View
    question: View
    answer: str

    @property
    def views(self) -> tuple[View, View]:
        """Pictures, then questions."""
        return self.image, self.question


def read_answers(
    data: Any,
    image: str | Sequence[str],
    question: str,
    answer: str,
    *,
    columns: Mapping[str, str] | None = None,
    answers: int = 1_000,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
) -> AnswerTable:
    """Read the table; classes are the `answers` most frequent answers of training rows.

    Raises `SchemaError` or `TargetError` in one line where a column cannot serve.
    """
    pictures = (image,) if isinstance(image, str) else tuple(image)
    dataset = _read(data, pictures, question, answer, columns)
    source = Source(
        dataset,
        cache=cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None),
        workers=workers or 4,
        device=device,
        progress=progress,
    )
    pictures_view, question_view = dataset.views.values()
    cells = _spelled(answer, dataset.to_pandas([answer])[answer])
    labelled = np.array([key is not None for key in cells])
    groups = together(source.data(pictures_view))
    alone = _crowded(groups)
    split = make_split(dataset, _strata(cells), seed=seed, groups=None if alone else groups)
    target, truth = _target(answer, cells, split.train, answers)
    known = Split(*(rows[truth[rows] >= 0] for rows in split.parts.values()))
    if not len(known.valid):
        raise TargetError(
            f"answers {answer!r}: no validation row has an answer that training saw; expected answers to come back: "
            "give more rows, or another split"
        )
    context = Context(source, known, replace(target, known=truth >= 0), truth, "accuracy", seed, device, progress)
    if alone and dataset.split() is None and dataset.group_values() is None:
        context.notes.append("few different pictures: rows that share one are not kept in one part of the split")
    if not labelled.all():
        context.notes.append(f"{int((~labelled).sum())} rows without an answer are left out")
    return AnswerTable(
        context, split, truth, [c or "" for c in cells], _texts(dataset, question), pictures_view, question_view, answer
    )


def together(pictures: ViewData) -> np.ndarray:
    """Int (rows,): rows that share a picture, directly or through others, have one number; rows without are alone."""
    rows = len(pictures.ids)
    line, slot = np.nonzero(pictures.ids >= 0)
    size = rows + len(pictures.values)
    links = coo_array((np.ones(len(line)), (line, rows + pictures.ids[line, slot])), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1][:rows])


def _strata(cells: Sequence[str | None]) -> np.ndarray:
    """Answers by which the split is stratified, null ones None; all rare ones together, so that chance deals them.

    Were each rare answer a stratum, single ones would all go to training rows, and no answer would be unseen.
    """
    counts = Counter(cells)
    return np.array([cell if cell is None or counts[cell] >= RARE else "" for cell in cells], object)


def _crowded(groups: np.ndarray) -> bool:
    """Whether so few groups hold the rows that no split keeps them whole."""
    counts = np.unique(groups, return_counts=True)[1]
    return len(counts) < FEWEST or counts.max() > LARGEST * len(groups)


def _read(
    data: Any, pictures: tuple[str, ...], question: str, answer: str, columns: Mapping[str, str] | None
) -> Dataset:
    named = [*pictures, question, answer]
    if not pictures or len(set(named)) < len(named):
        raise SchemaError(
            f"images {', '.join(pictures) or 'none'}, question {question}, answer {answer}: expected one column for "
            "the question, one for the answer, and others for pictures, each once"
        )
    given = dict(columns or {}) | dict.fromkeys(pictures, "image:input") | {question: "text:input"}
    joined = {PICTURES: list(pictures)} if len(pictures) > 1 else None
    dataset = read(data, columns=given, views=joined, target=answer)
    name = PICTURES if joined else pictures[0]
    found = {one: dataset.views[one] for one in (name, question)}
    if found[name].modality is not Modality.IMAGE:
        raise SchemaError(f"column {name!r}: expected pictures, got {found[name].modality}; name another --image")
    return replace(dataset, views=found)


def _spelled(column: str, cells: pd.Series) -> list[str | None]:
    """Answers in words, None where null; of spellings that differ in case or blanks the most frequent stands for all.

    Whole numbers are written without a decimal point.
    """
    plain = [_said(column, cell) for cell in cells]
    counts = Counter(text for text in plain if text is not None)
    chosen: dict[str, str] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        chosen.setdefault(text.casefold(), text)
    if not chosen:
        raise TargetError(f"answers {column!r}: every cell is null; expected answers to learn, choose another column")
    return [None if text is None else chosen[text.casefold()] for text in plain]


def _said(column: str, cell: Any) -> str | None:
    if isinstance(cell, list | tuple | dict | np.ndarray):
        raise TargetError(
            f"answers {column!r}: expected one answer per row, got {type(cell).__name__}; give the most frequent one"
        )
    if cell is None or cell is pd.NA or (isinstance(cell, float | np.floating) and not np.isfinite(cell)):
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return " ".join(str(cell).split()) or None


def _target(column: str, cells: Sequence[str | None], train: np.ndarray, most: int) -> tuple[Target, np.ndarray]:
    counts = Counter(cells[row] for row in train)
    kept = sorted(sorted(map(str, counts)), key=lambda text: -counts[text])[:most]
    if len(kept) < 2:
        raise TargetError(
            f"answers {column!r}: expected two different answers or more in training rows, got only {kept[0]!r}; "
            "choose another column"
        )
    classes = tuple(sorted(kept))
    place = {text: i for i, text in enumerate(classes)}
    truth = np.array([-1 if cell is None else place.get(cell, -1) for cell in cells], np.int64)
    task = Task("binary" if len(classes) == 2 else "multiclass", classes)
    return Target(column, task, reason=f"the {len(classes)} most frequent answers of training rows"), truth


def _texts(dataset: Dataset, column: str) -> list[str]:
    cells = dataset.to_pandas([column])[column]
    return ["" if cell is None or cell is pd.NA or cell != cell else str(cell).strip() for cell in cells]  # noqa: PLR0124
