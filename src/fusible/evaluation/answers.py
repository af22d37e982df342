"""Scores of answers to questions about pictures: VQA accuracy, exact match and WUPS.

VQA accuracy is that of the official evaluation (Antol et al., ICCV 2015, as its code stands): an answer is as right as
min(1, people who gave it / 3), averaged over all ways to leave one person out. It normalises answers only where the
people of a question disagree. WUPS (Malinowski & Fritz, NIPS 2014) gives credit for near words, by WordNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusible.errors import ArrayError, ConfigError, DataError, MissingExtraError
from fusible.evaluation._vqa import normal, tidy
from fusible.evaluation._wups import Meaning, Meanings, wordnet
from fusible.evaluation._wups import wups as _wups

__all__ = ["AnswerScores", "Meaning", "Meanings", "answer_scores", "exact", "normal", "vqa_accuracy", "wordnet", "wups"]

ENOUGH = 3
"""People who make an answer right."""

THRESHOLDS = (0.9, 0.0)
"""Thresholds at which WUPS is usually given."""


def vqa_accuracy(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Accuracy of each answer against what several people answered, 0 to 1; (items,).

    A person left out and the others leave min(1, k / 3), where k of the others gave the answer; the mean over persons
    is the score: with ten people of whom two gave the answer, 0.6. Where fewer than three others are left, all of them
    make an answer right, which the official evaluation, of ten people always, does not say. A single reference is
    compared as it is: the answer is right or not. Raises as `answer_scores`.

    >>> vqa_accuracy(["Two", "red"], [["2"] * 2 + ["3"] * 8, ["Red"] * 10]).round(2)
    array([0.6, 0. ])
    """
    _check(answers, references)
    return np.array([_accuracy(answer, row) for answer, row in zip(answers, references, strict=True)])


def exact(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Whether each answer is one of its references, but for case and outer blanks: 1 or 0; (items,).

    >>> exact(["Red ", "the red"], [["red"], ["red", "blue"]])
    array([1., 0.])
    """
    _check(answers, references)
    pairs = zip(answers, references, strict=True)
    return np.array([float(_plain(answer) in map(_plain, row)) for answer, row in pairs])


def wups(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    threshold: float = 0.9,
    meanings: Meanings | None = None,
) -> np.ndarray:
    """WUPS of each answer, the mean over its references (Malinowski et al., IJCV 2017), 0 to 1; (items,).

    `meanings` gives the meanings of a word, each with `wup_similarity`; None takes nouns of nltk's WordNet, and raises
    `MissingExtraError` where it is not there. At threshold 0 every similarity counts in full.
    """
    _check(answers, references)
    if not 0.0 <= threshold <= 1.0:
        raise ConfigError(f"WUPS: expected a threshold from 0 to 1, got {threshold}; 0.9 and 0 are usual")
    known = wordnet() if meanings is None else meanings
    pairs = zip(answers, references, strict=True)
    return np.array([np.mean([_wups(answer, r, threshold, known) for r in row]) for answer, row in pairs])


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """Scores of answers by name, of the corpus and of each item: "vqa", "exact", "wups_0.9", "wups_0.0".

    A corpus is the mean of its items. The WUPS are None where WordNet is not there.
    """

    corpus: dict[str, float | None]
    items: dict[str, np.ndarray | None]


def answer_scores(
    answers: Sequence[str], references: Sequence[Sequence[str]], meanings: Meanings | None = None
) -> AnswerScores:
    """Score an answer of each item against what people answered.

    Raises `DataError` for no items or an item without references, `ArrayError` for different numbers of both.

    >>> scores = answer_scores(["red", "4"], [["red"], ["four"]], meanings=lambda word: ())
    >>> scores.corpus["vqa"], scores.corpus["exact"], scores.corpus["wups_0.9"]
    (0.5, 0.5, 0.5)
    """
    items: dict[str, np.ndarray | None] = {
        "vqa": vqa_accuracy(answers, references),
        "exact": exact(answers, references),
    }
    try:
        known = wordnet() if meanings is None else meanings
    except MissingExtraError:
        known = None
    for threshold in THRESHOLDS:
        items[f"wups_{threshold}"] = None if known is None else wups(answers, references, threshold, known)
    return AnswerScores({name: None if v is None else float(v.mean()) for name, v in items.items()}, items)


def _plain(answer: str) -> str:
    return tidy(answer).casefold()


def _accuracy(answer: str, references: Sequence[str]) -> float:
    said, others = tidy(answer), [tidy(reference) for reference in references]
    if len(set(others)) > 1:
        said, others = normal(said), [normal(other) for other in others]
    if len(others) == 1:
        return float(said == others[0])
    same = [other == said for other in others]
    enough = min(ENOUGH, len(others) - 1)
    return float(np.mean([min(1.0, (sum(same) - own) / enough) for own in same]))


def _check(answers: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(answers) != len(references):
        found = f"got {len(answers)} answers for {len(references)} items"
        raise ArrayError(f"answers: expected one answer of each item, {found}; pair them")
    if not len(references):
        raise DataError("answers: expected at least one item, got none; give some rows")
    for number, row in enumerate(references):
        if isinstance(row, str):
            raise DataError(f"answers: the references of item {number} are one string; give a list of answers")
        if not len(row):
            raise DataError(f"answers: item {number} has no reference answer; leave the item out")
