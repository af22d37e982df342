"""Answers as people gave them: spelled alike, the one that most gave, and what each answer earns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from fusible.errors import TargetError
from fusible.evaluation.answers import vqa_accuracy
from fusible.tasks._said import said, spelling


@dataclass(frozen=True, slots=True)
class People:
    """What people answered, per row of a table; nothing where nobody did.

    `several` says whether a row has more than one answer: then an answer earns its VQA accuracy, else it is right or
    not.
    """

    given: list[list[str]]

    @property
    def several(self) -> bool:
        """Whether several people answered a question."""
        return any(len(row) > 1 for row in self.given)

    @property
    def cells(self) -> list[str | None]:
        """The answer that most people gave, per row, None where nobody answered; of equal ones the most usual."""
        usual = Counter(answer for row in self.given for answer in row)
        return [None if not row else _most(row, usual) for row in self.given]

    def frequent(self, rows: np.ndarray, most: int) -> list[str]:
        """The `most` answers that stand in most of some rows, each row counting once."""
        counts = Counter(answer for row in rows.tolist() for answer in set(self.given[row]))
        return sorted(sorted(counts), key=lambda answer: -counts[answer])[:most]

    def gains(self, classes: Sequence[str]) -> csr_matrix:
        """What each class would earn in each row: sparse (rows, classes), from 0 to 1."""
        place = {answer: k for k, answer in enumerate(classes)}
        at: list[tuple[int, int]] = []
        worth: list[float] = []
        for row, people in enumerate(self.given):
            near = [answer for answer in dict.fromkeys(people) if answer in place]
            at += [(row, place[answer]) for answer in near]
            worth += vqa_accuracy(near, [people] * len(near)).tolist() if near else []
        rows, columns = np.array(at, dtype=np.int64).reshape(-1, 2).T
        return csr_matrix((np.array(worth), (rows, columns)), shape=(len(self.given), len(classes)))


def people_of(columns: Sequence[str], frame: pd.DataFrame) -> People:
    """Read the answer columns: every column, and every member of a list in a cell, is one person's answer.

    Of spellings that differ in case, blanks or the composition of characters the most frequent stands for all.
    Raises `TargetError` where no cell holds an answer.
    """
    given = [
        [text for name, cell in zip(columns, cells, strict=True) for text in said(name, cell)]
        for cells in zip(*(frame[name] for name in columns), strict=True)
    ]
    counts = Counter(text for row in given for text in row)
    if not counts:
        raise TargetError(
            f"answers {', '.join(map(repr, columns))}: every cell is null; expected answers to learn, choose another "
            "column"
        )
    chosen: dict[str, str] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        chosen.setdefault(spelling(text), text)
    return People([[" ".join(chosen[spelling(text)].split()) for text in row] for row in given])


def earned(gains: csr_matrix, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """What the classes `places` (n,) earn in `rows` (n,): (n,), from 0 to 1."""
    return np.asarray(gains[rows, places], float).reshape(-1)


def _most(row: Sequence[str], usual: Counter[str]) -> str:
    counts = Counter(row)
    return max(counts, key=lambda answer: (counts[answer], usual[answer], answer))
