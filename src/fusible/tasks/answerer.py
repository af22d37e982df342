"""Answerers: questions about pictures answered from a closed set of answers, with a confidence and its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fusible.data.dataset import Dataset
from fusible.data.media import decode_image
from fusible.errors import ConfigError, ModelFormatError, SchemaError, TargetError
from fusible.evaluation.answered import ACCURACY, NO_ANSWER, VQA_ACCURACY, Answer
from fusible.evaluation.answers import answer_scores
from fusible.evaluation.metrics import decide
from fusible.evaluation.ratio import Ratio, interval
from fusible.tasks._answer_people import people_of
from fusible.tasks._answer_pictures import picture_cell
from fusible.tasks._answer_rules import SECTION, Rules, check_share
from fusible.tasks._answer_types import question_type
from fusible.tasks._said import spelling
from fusible.tasks.explain import _pictures
from fusible.tasks.folder import load
from fusible.tasks.model import Model
from fusible.tasks.one_row import OneRow
from fusible.tasks.saliency import saliency
from fusible.types import Media

TOP = 5


@dataclass(slots=True)
class Answerer:
    """Answers questions about pictures; by `fusible.fit_answers`, or from a folder by `fusible.load_answerer`."""

    model: Model
    rules: Rules

    @property
    def answers(self) -> tuple[str, ...]:
        """Every answer that it can give."""
        return self.model.target.task.classes

    def ask(
        self,
        images: Any,
        question: str,
        *,
        abstain: float | None = None,
        evidence: bool = False,
        workers: int = 4,
    ) -> Answer:
        """Answer a question about a picture, or about as many as the model was fitted with.

        Parameters
        ----------
        images : path, bytes, PIL image or array, or a sequence of them
            One picture per image column, in that order; None or "" stands for one that is missing.
        question : str
            What words that training never saw stand for depends on the encoder of the questions.
        abstain : float, optional
            Confidence below which no answer is given, instead of the model's own threshold; 0 always answers.
        evidence : bool
            Also say which patches of the pictures and which words matter (needs the extra `explain`).
        workers : int
            Threads that decode.

        Raises
        ------
        FusibleError
            One line: an empty question, another number of pictures, a picture that cannot be read.
        """
        threshold = self._threshold(abstain)
        if not isinstance(question, str) or not question.strip():
            raise ConfigError(f"question: expected words, got {question!r}; ask something")
        row = {self.rules.question: question} | self._cells(images)
        dataset = self.model.read(pd.DataFrame({name: _column(cell) for name, cell in row.items()}))
        return self.of_row(dataset, 0, question, threshold=threshold, evidence=evidence, workers=workers)

    def of_row(
        self,
        dataset: Dataset,
        row: int,
        question: str,
        *,
        threshold: float | None = None,
        evidence: bool = False,
        workers: int = 4,
    ) -> Answer:
        """Answer the question of one row of a table that the model has read."""
        one = OneRow(self.model.node, lambda scores: scores[:, 0], dataset, row, workers)
        scores = one.scores()
        place = int(decide(self.model.target.task, scores)[0])
        one.value = lambda scores: self._confidence(scores)[:, place]
        found = _answer(self.answers, self._confidence(scores)[0], place, threshold)
        result = Answer(*found, question, question_type(question, self.rules.types), threshold)
        absent = [view.name for view, there in zip(one.views, one.present, strict=True) if not there]
        result.notes += [f"{name!r} is missing: the answer rests on what else there is" for name in absent]
        result.pictures = _pictures(one)
        if evidence:
            result.evidence, notes = saliency(one)
            result.notes += notes
        return result

    def predict(
        self, data: Any, *, abstain: float | None = None, workers: int = 4, progress: Any = None
    ) -> pd.DataFrame:
        """Answer every row of a table: `answer`, `confidence`, `abstained`, `best`, `question_type`.

        Missing or unreadable pictures, and empty questions, count as absent; `frame.attrs["problems"]` names them.
        """
        threshold, dataset = self._threshold(abstain), self.model.read(data)
        given = self.model.predict(dataset, workers=workers, progress=progress)
        scores = given[[f"probability_{answer}" for answer in self.answers]].to_numpy()
        confidence, places = self._confidence(scores), decide(self.model.target.task, scores)
        sure = confidence[np.arange(len(places)), places]
        held = np.zeros(len(sure), bool) if threshold is None else sure < threshold
        best = [self.answers[place] for place in places]
        frame = pd.DataFrame(
            {
                "answer": [NO_ANSWER if gone else said for said, gone in zip(best, held, strict=True)],
                "confidence": sure,
                "abstained": held,
                "best": best,
                "question_type": [question_type(asked, self.rules.types) for asked in self._questions(dataset)],
            }
        )
        frame.attrs["problems"] = given.attrs["problems"]
        return frame

    def evaluate(self, data: Any, *, workers: int = 4, progress: Any = None) -> dict[str, Any]:
        """Score the answers to a table that holds the true ones, as the fit scored test rows; none is withheld.

        Gives rows, metric (accuracy, or VQA accuracy where several people answered), score with its interval, and
        further metrics. Raises `TargetError` where the table has no answers.
        """
        dataset = self.model.read(data)
        if lacking := [name for name in self.rules.told if name not in dataset.columns]:
            raise TargetError(f"column {lacking[0]!r} is not in the table; expected the answers to score against")
        people = people_of(self.rules.told, dataset.to_pandas(list(self.rules.told)))
        rows = np.flatnonzero([bool(row) for row in people.given])
        frame = self.predict(dataset.take(rows), abstain=0, workers=workers, progress=progress)
        given = [people.given[row] for row in rows]
        named = {spelling(answer): answer for row in given for answer in row}
        said = [named.get(spelling(answer), answer) for answer in frame["best"]]
        items = answer_scores(said, given)
        metric = VQA_ACCURACY if people.several else ACCURACY
        score = interval(Ratio.mean(np.asarray(items.items["vqa"])))
        return {
            "task": self.model.target.task.kind,
            "metric": metric,
            "rows": len(rows),
            "rows_without_target": dataset.rows - len(rows),
            "score": asdict(score),
            "metrics": {name: value for name, value in items.corpus.items() if value is not None},
            "strategy": self.model.node.name,
            "problems": frame.attrs["problems"],
        }

    def save(self, folder: str | Path) -> Path:
        """Write the model folder, whole or not at all; `fusible.load` reads it as a plain model."""
        return self.model.save(folder)

    # -- within ---------------------------------------------------------------------------------------------------

    def _confidence(self, scores: np.ndarray) -> np.ndarray:
        return self.rules.calibrated(scores, self.model.target.task)

    def _questions(self, dataset: Dataset) -> list[str | None]:
        """Questions of all rows; a model that sees pictures alone needs no column of them."""
        if self.rules.question not in dataset.columns:
            return [None] * dataset.rows
        cells = dataset.to_pandas([self.rules.question])[self.rules.question]
        return [cell if isinstance(cell, str) else None for cell in cells]

    def _threshold(self, abstain: float | None) -> float | None:
        if abstain is None:
            return self.rules.threshold
        return check_share(abstain) or None

    def _cells(self, images: Any) -> dict[str, Any]:
        """Cells of the image columns; every picture is decoded once here, so that a bad one is refused by name."""
        wanted = self.rules.images
        given = list(images) if isinstance(images, Sequence) and not isinstance(images, str | bytes) else [images]
        if len(given) != len(wanted):
            raise SchemaError(
                f'pictures: expected {len(wanted)} ({", ".join(wanted)}), got {len(given)}; give "" for a missing one'
            )
        cells = {name: picture_cell(picture) for name, picture in zip(wanted, given, strict=True)}
        for name, cell in cells.items():
            if isinstance(cell, str):
                decode_image(Media(name, 0, path=cell))
            elif cell is not None:
                decode_image(Media(name, 0, data=cell))
        return cells


def load_answerer(folder: str | Path) -> Answerer:
    """Load what `fusible ask fit` wrote; nothing in it is run. Raises `ModelFormatError` in one line."""
    return answerer_of(load(folder), str(folder))


def answerer_of(model: Model, where: str = "the model") -> Answerer:
    """Make an answerer of a model that holds its rules."""
    section = model.info.get(SECTION)
    if not isinstance(section, Mapping):
        raise ModelFormatError(
            f"{where}: a model that answers no questions, expected one of `fusible ask fit`; use fusible.load"
        )
    rules = Rules.from_config(section, where)
    inputs = {name for view in model.views for name in view.columns}
    lacking = [name for name in inputs if name not in {*rules.images, rules.question}]
    if lacking or not model.target.task.is_classification:
        raise ModelFormatError(
            f"{where}: {SECTION}: the model's columns are {sorted(inputs)}, expected some of "
            f"{[*rules.images, rules.question]}, and classes; copy or fit it again"
        )
    return Answerer(model, rules)


def with_rules(model: Model, rules: Rules) -> Answerer:
    """Make an answerer of a fitted model; the model's folder will keep the rules."""
    return Answerer(replace(model, info={**model.info, SECTION: rules.to_config()}), rules)


def _answer(
    answers: Sequence[str], confidence: np.ndarray, place: int, threshold: float | None
) -> tuple[str, float, bool, list[tuple[str, float]]]:
    order = np.argsort(-confidence, kind="stable")
    order = np.concatenate([[place], order[order != place]])[:TOP]
    top = [(answers[k], float(confidence[k])) for k in order]
    held = threshold is not None and confidence[place] < threshold
    return NO_ANSWER if held else answers[place], float(confidence[place]), bool(held), top


def _column(cell: Any) -> pd.Series:
    return pd.Series([cell], dtype=object if isinstance(cell, bytes) else "string")
