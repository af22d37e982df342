"""Worst and best cases: test rows with pictures, question, answer and evidence, for the report."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from fusible.tasks._answer_data import AnswerTable
from fusible.tasks._answer_score import Scored, earned
from fusible.tasks.answerer import Answerer

HALF = 0.5
"""What an answer earns at least that counts as right among cases, where several people answered."""


def worst_and_best(
    table: AnswerTable, answerer: Answerer, chosen: Scored, baseline: Scored, count: int
) -> list[dict[str, Any]]:
    """Take `count` of the surest wrong answers, and of the surest right ones that the baseline gets wrong.

    Each shows another picture, and another answer where there are enough. Evidence is there where the extra `explain`
    is installed.
    """
    context, rows = table.context, table.split.test
    sure = answerer.rules.calibrated(chosen.test, context.task).max(axis=1)
    hit, blind = (earned(table, rows, one.test) >= HALF for one in (chosen, baseline))
    found = []
    for kind, wanted in (("worst", ~hit), ("best", hit & ~blind)):
        order = np.flatnonzero(wanted)[np.argsort(-sure[wanted], kind="stable")]
        found += [(kind, int(rows[k])) for k in _different(table, rows[order], order)[:count]]
    return [
        {
            "kind": kind,
            "row": row,
            "truth": table.cells[row],
            "answer": answerer.of_row(
                context.source.dataset,
                row,
                table.questions[row],
                threshold=answerer.rules.threshold,
                evidence=find_spec("captum") is not None,
            ),
        }
        for kind, row in found
    ]


def _different(table: AnswerTable, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of rows in order the first of each set of pictures; first of these one of each answer, then the others."""
    ids = np.concatenate([table.context.source.data(view).ids[rows] for view in table.images], axis=1)
    first = np.sort(np.unique(ids, axis=0, return_index=True)[1])
    again = np.ones(len(first), bool)
    again[np.unique(table.truth[rows[first]], return_index=True)[1]] = False
    return places[first[np.argsort(again, kind="stable")]]
