"""Visual question answering: pictures and questions to answers, from the user's own table, beside blind baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fusible.data.cache import ArrayCache
from fusible.errors import ConfigError
from fusible.evaluation import bootstrap
from fusible.evaluation.answered import NEVER, Answered, Answers, coverage_curve, covered, threshold_for
from fusible.evaluation.cost import Stages
from fusible.evaluation.metrics import score
from fusible.evaluation.reliability import reliability
from fusible.evaluation.study import Difference
from fusible.evaluation.verdict import NO_EVIDENCE, statement, verdict
from fusible.tasks import strategies as named
from fusible.tasks._answer_cases import worst_and_best
from fusible.tasks._answer_data import AnswerTable, read_answers
from fusible.tasks._answer_score import (
    METRIC,
    Calibrated,
    Scored,
    best,
    calibrate,
    frequent,
    groups,
    interval,
    right,
    scored,
)
from fusible.tasks._answer_types import answer_type, question_type, question_types
from fusible.tasks.answerer import Rules, check_share, with_rules
from fusible.tasks.compare import Study, fit_strategies
from fusible.tasks.model import Model
from fusible.tasks.results import _problems, _settings, _views, versions
from fusible.tasks.source import Progress
from fusible.types import Role

CANDIDATES = ("feature:multiply", "feature:film", "end_to_end:joint+multiply")
"""What is tried where no strategy is named, and compared on validation rows."""


def fit_answers(
    data: Any,
    image: str | Sequence[str],
    question: str,
    answer: str,
    *,
    strategies: Sequence[str] | None = None,
    abstain: float | None = None,
    accuracy: float | None = None,
    answers: int = 1_000,
    cases: int = 0,
    columns: Mapping[str, str] | None = None,
    encoders: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Answers:
    """Fit strategies that answer questions about pictures, keep the best on validation rows, and score it once.

    Answers are a closed set: the most frequent ones of training rows. Beside the model stand the question alone, the
    picture alone, the most frequent answer, and that per question type; the verdict compares with the best of them.
    Rows that share a picture stay in one part of the split, unless the table has a split of its own.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table, one row per question; see `fusible.read`. Pictures and questions may be missing.
    image : str or sequence of str
        Column of pictures, or several where a question is about several.
    question, answer : str
        Columns of questions and answers; answers that differ only in case or blanks are one.
    strategies : sequence of str, optional
        Names such as `feature:film` or `end_to_end:joint+bilinear` (default: `CANDIDATES`).
    abstain : float, optional
        Confidence below which the model gives no answer.
    accuracy : float, optional
        Instead of `abstain`: share of the given answers that is to be right; the threshold is chosen on validation
        rows.
    answers : int
        Most answers that the model knows.
    cases : int
        Worst and best test rows to keep with pictures and evidence, so many of each, for a page.
    columns, encoders, seed, device, workers, cache, progress, command
        As in `fusible.compare`.

    Returns
    -------
    Answers
        Accuracy beside baselines with the verdict, by question and answer type, calibration, coverage; `answerer`.

    Raises
    ------
    FusibleError
        One line: a table, column, strategy or setting that cannot be used.
    """
    start, stages = time.perf_counter(), Stages()
    _check(abstain, accuracy, answers)
    wanted = list(CANDIDATES if strategies is None else strategies)
    if not wanted or named.DEFAULT in wanted:
        raise ConfigError(f"strategies: expected names such as {', '.join(CANDIDATES)}, got {wanted}")
    named.plan(wanted, 2)
    table = read_answers(
        data, image, question, answer,
        columns=columns, answers=answers, seed=seed, device=device, workers=workers, cache=cache, progress=progress,
    )  # fmt: skip
    study = fit_strategies(table.context, table.views, encoders or {}, wanted)
    with stages("test"):
        result = _result(table, study, wanted, abstain, accuracy, cases)
    result.command, result.seed = command, seed
    result.seconds = {**study.stages.seconds, **stages.seconds, "total": time.perf_counter() - start}
    return result


def _check(abstain: float | None, accuracy: float | None, answers: int) -> None:
    if abstain is not None:
        check_share(abstain)
    if abstain is not None and accuracy is not None:
        raise ConfigError("abstain and accuracy: expected one of both; accuracy chooses the threshold by itself")
    if accuracy is not None:
        threshold_for(np.ones(1), np.ones(1, bool), accuracy)
    if answers < 2:
        raise ConfigError(f"answers: expected at least 2 that the model may know, got {answers}")


def _result(
    table: AnswerTable,
    study: Study,
    wanted: Sequence[str],
    abstain: float | None,
    accuracy: float | None,
    cases: int,
) -> Answers:
    context, split, task = table.context, table.split, table.context.task
    valid, test = table.truth[split.valid], table.truth[split.test]
    types = question_types([table.questions[row] for row in context.split.train if table.questions[row]])
    blind = [scored(table, f, "baseline") for f in study.fitted if f.family == "single"] + frequent(table, types)
    fused = [scored(table, f, "candidate") for f in study.fitted if f.family != "single"]
    fused += [one for one in blind if one.name in wanted]
    if not fused:
        raise ConfigError(f"strategies {wanted}: none could be fitted here (see `fusible compare`); name others")
    chosen, baseline = best(fused, valid, task), best([b for b in blind if b.name not in wanted], valid, task)
    calibrated = calibrate(chosen.valid, valid, task)
    threshold = _threshold(context.notes, calibrated, chosen, valid, table, abstain, accuracy)
    rules = Rules(table.image.columns, table.question.columns[0], calibrated, threshold, types)
    answerer = with_rules(_model(table, study, chosen), rules)
    difference, settled, said = _verdict(table, chosen, baseline, test)
    confidence = calibrated(chosen.test, task)
    sure, hit = confidence.max(axis=1), right(chosen.test, test, task)
    names = [table.questions[row] for row in split.test]

    def by(kinds: list[str]) -> Any:
        return groups(kinds, chosen.test, baseline.test, test, task, context.seed)

    result = Answers(
        strategy=chosen.name,
        baseline=baseline.name,
        verdict=settled,
        difference=difference,
        statement=said,
        rows=_rows(table, chosen, [*fused, *(b for b in blind if b not in fused)], valid, test),
        parts=split.sizes,
        unseen={"valid": int((valid < 0).sum()), "test": int((test < 0).sum())},
        answers=task.classes,
        question_types=by([question_type(name, types) for name in names]),
        answer_types=by([answer_type(table.cells[row]) for row in split.test]),
        temperature=calibrated.temperature,
        ece=score("ece", task, test, confidence),
        bins=reliability(task, test, confidence),
        abstain=None if threshold is None else covered(sure, hit, threshold),
        curve=coverage_curve(sure, hit),
        views=_views(study),
        settings=_settings(study),
        notes=list(context.notes),
        problems=_problems(context),
        versions=versions(),
        answerer=answerer,
    )
    result.cases = worst_and_best(table, answerer, chosen, baseline, cases)
    return result


def _threshold(
    notes: list[str],
    calibrated: Calibrated,
    chosen: Scored,
    valid: np.ndarray,
    table: AnswerTable,
    abstain: float | None,
    accuracy: float | None,
) -> float | None:
    """The user's threshold, or the one that gives the wanted accuracy on validation rows."""
    if accuracy is None:
        return abstain
    task = table.context.task
    sure, hit = calibrated(chosen.valid, task).max(axis=1), right(chosen.valid, valid, task)
    found = threshold_for(sure, hit, accuracy)
    if found == NEVER:
        notes.append(f"no threshold makes {accuracy:.1%} of the given answers right on validation rows: none is given")
    return found


def _verdict(table: AnswerTable, a: Scored, b: Scored, truth: np.ndarray) -> tuple[Difference, str, str]:
    task, seed = table.context.task, table.context.seed
    difference = bootstrap.paired(METRIC, task, truth, a.test, b.test, seed=seed)
    if a.kind == "baseline":
        return difference, NO_EVIDENCE, f"Nothing is fused: {a.name} was named, and answers by one view alone."
    return difference, verdict(difference), statement(difference, metric=METRIC, auto=a.name, best_single=b.name)


def _rows(
    table: AnswerTable, chosen: Scored, found: Sequence[Scored], valid: np.ndarray, test: np.ndarray
) -> list[Answered]:
    task, seed = table.context.task, table.context.seed
    return [
        Answered(
            one.name,
            "chosen" if one is chosen else one.kind,
            interval(one.test, test, task, seed),
            float(right(one.valid, valid, task).mean()),
            0.0 if one.fitted is None else round(one.fitted.seconds, 3),
            0 if one.fitted is None else one.fitted.node.parameters(),
        )
        for one in sorted(found, key=lambda one: one is not chosen)
    ]


def _model(table: AnswerTable, study: Study, chosen: Scored) -> Model:
    context = table.context
    if chosen.fitted is None:
        raise ConfigError(f"{chosen.name} is a baseline and no model; name a strategy")
    node = chosen.fitted.node
    views = tuple({view.name: view for view, _ in node.inputs()}.values())
    seen = {name for view in views for name in view.columns}
    columns = tuple(
        replace(c, role=Role.IGNORE, reason="not used by the model")
        if c.role is Role.INPUT and c.name not in seen
        else c
        for c in context.source.dataset.columns.values()
    )
    info = {
        "strategy": node.name,
        "seed": context.seed,
        "data_fingerprint": context.source.dataset.fingerprint,
        "rows": table.split.sizes,
        "versions": versions(),
    }
    return Model(node, context.target, columns, views, METRIC, None, info)
