"""Reading a table of pictures, questions and answers: views, classes of answers, a split that keeps pictures whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.errors import SchemaError, TargetError
from fusible.tasks._answer_people import People, earned, people_of
from fusible.tasks._blocks import together, whole
from fusible.tasks.context import Context
from fusible.tasks.source import Progress, Source
from fusible.tasks.target import Target
from fusible.types import Modality, Task, View

RARE = 10
"""Answers of fewer rows are dealt to the parts of a split by chance."""


@dataclass(slots=True)
class AnswerTable:
    """What was read. `context` holds rows whose answer the model knows; `split` also those whose answer it does not.

    `truth` (rows,): the class that earns most, -1 where none earns anything; `gains`, what each class earns in each
    row; `cells` are the answers that most people gave, in words, "" where nobody did; `questions` are those of all
    rows, "" where null. `images` has a view per column of pictures, in their order.
    """

    context: Context
    split: Split
    truth: np.ndarray
    gains: csr_matrix
    people: People
    cells: list[str]
    questions: list[str]
    images: tuple[View, ...]
    question: View
    answers: tuple[str, ...]

    @property
    def views(self) -> tuple[View, ...]:
        """Pictures, then questions."""
        return *self.images, self.question

    def earned(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """What the classes `places` (n,) earn in `rows` (n,): 1 where an answer is right, 0 where it is not."""
        return earned(self.gains, rows, places)


def read_answers(
    data: Any,
    image: str | Sequence[str],
    question: str,
    answer: str | Sequence[str],
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
    pictures, told = (((x,) if isinstance(x, str) else tuple(x)) for x in (image, answer))
    dataset = _read(data, pictures, question, told, columns)
    source = Source(
        dataset,
        cache=cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None),
        workers=workers or 4,
        device=device,
        progress=progress,
    )
    *images, question_view = dataset.views.values()
    people = people_of(told, dataset.to_pandas(list(told)))
    shown = _shown(source, images)
    groups = _groups(dataset, shown)
    split = make_split(dataset, _strata(people.cells), seed=seed, groups=groups)
    target, gains = _target(told, people, split.train, answers)
    best = np.asarray(gains.argmax(axis=1)).reshape(-1)
    truth = np.where(earned(gains, np.arange(dataset.rows), best) > 0, best, -1)
    known = Split(*(rows[truth[rows] >= 0] for rows in split.parts.values()))
    if not len(known.valid):
        raise TargetError(
            f"answers {told[0]!r}: no validation row has an answer that training saw; expected answers to come back: "
            "give more rows, or another split"
        )
    context = Context(
        source, known, replace(target, known=truth >= 0), truth, "accuracy", seed, device, progress,
        groups=groups, soft=gains if people.several else None,
    )  # fmt: skip
    context.notes += _notes(people, split, together([shown]))
    return AnswerTable(
        context,
        split,
        truth,
        gains,
        people,
        [cell or "" for cell in people.cells],
        _texts(dataset, question),
        tuple(images),
        question_view,
        told,
    )


def _shown(source: Source, images: Sequence[View]) -> np.ndarray:
    """Numbers (rows, columns) of the pictures that a row shows, -1 where there is none; equal pictures have one."""
    numbers: dict[str, int] = {}
    found = []
    for view in images:
        data = source.data(view)
        place = np.array([*(numbers.setdefault(key, len(numbers)) for key in data.keys), -1])
        found.append(place[data.ids])
    return np.concatenate(found, axis=1)


def _groups(dataset: Dataset, shown: np.ndarray) -> np.ndarray | None:
    """Rows that are kept in one part: those of one group of the table, and those that share a picture.

    Where that leaves so few that no split keeps them whole, they are those of the table; None where every row is alone.
    """
    groups = whole([shown], own := dataset.group_values())
    return own if groups is None or len(np.unique(groups)) == len(groups) else groups


def _notes(people: People, split: Split, shown: np.ndarray) -> list[str]:
    found = []
    shared = int(np.isin(shown[split.test], shown[split.train]).sum())
    if shared:
        found.append(
            f"{shared:,} of {len(split.test):,} test rows show a picture that training rows show, directly or through "
            "others: scores tell little of new pictures"
        )
    if bare := sum(not row for row in people.given):
        found.append(f"{bare} rows without an answer are left out")
    return found


def _strata(cells: Sequence[str | None]) -> np.ndarray:
    """Answers by which the split is stratified, null ones None; all rare ones together, so that chance deals them.

    Were each rare answer a stratum, single ones would all go to training rows, and no answer would be unseen.
    """
    counts = Counter(cells)
    return np.array([cell if cell is None or counts[cell] >= RARE else "" for cell in cells], object)


def _read(
    data: Any, pictures: tuple[str, ...], question: str, answers: tuple[str, ...], columns: Mapping[str, str] | None
) -> Dataset:
    named = [*pictures, question, *answers]
    if not pictures or not answers or len(set(named)) < len(named):
        raise SchemaError(
            f"images {', '.join(pictures) or 'none'}, question {question}, answers {', '.join(answers) or 'none'}: "
            "expected one column for the question, others for the answers, and others for pictures, each once"
        )
    given = dict(columns or {}) | dict.fromkeys(pictures, "image:input") | {question: "text:input"}
    dataset = read(data, columns=given, target=answers[0] if len(answers) == 1 else answers)
    found = {name: dataset.views[name] for name in (*pictures, question)}
    for name in pictures:
        if found[name].modality is not Modality.IMAGE:
            raise SchemaError(f"column {name!r}: expected pictures, got {found[name].modality}; name another --image")
    return replace(dataset, views=found)


def _target(columns: Sequence[str], people: People, train: np.ndarray, most: int) -> tuple[Target, csr_matrix]:
    kept = people.frequent(train, most)
    if len(kept) < 2:
        raise TargetError(
            f"answers {columns[0]!r}: expected two different answers or more in training rows, got only {kept[0]!r}; "
            "choose another column"
        )
    classes = tuple(sorted(kept))
    task = Task("binary" if len(classes) == 2 else "multiclass", classes)
    reason = f"the {len(classes)} most frequent answers of training rows"
    return Target(columns[0], task, reason=reason), people.gains(classes)


def _texts(dataset: Dataset, column: str) -> list[str]:
    cells = dataset.to_pandas([column])[column]
    return ["" if cell is None or cell is pd.NA or cell != cell else str(cell).strip() for cell in cells]  # noqa: PLR0124
