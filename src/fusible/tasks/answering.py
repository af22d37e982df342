"""Visual question answering: pictures and questions to answers, from the user's own table, beside blind baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fusible.data.cache import ArrayCache
from fusible.errors import ConfigError
from fusible.evaluation.answered import (
    ACCURACY,
    NEVER,
    VQA_ACCURACY,
    Answered,
    Answers,
    check_accuracy,
    coverage_curve,
    covered,
    threshold_for,
)
from fusible.evaluation.answers import answer_scores
from fusible.evaluation.cost import Stages
from fusible.evaluation.metrics import decide
from fusible.evaluation.ratio import Ratio, interval, paired
from fusible.evaluation.reliability import binned, calibration_error
from fusible.evaluation.study import Difference
from fusible.evaluation.verdict import NO_EVIDENCE, statement, verdict
from fusible.tasks import strategies as named
from fusible.tasks._answer_cases import worst_and_best
from fusible.tasks._answer_data import AnswerTable, read_answers
from fusible.tasks._answer_rules import Rules, check_share
from fusible.tasks._answer_score import Calibrated, Scored, best, calibrate, earned, frequent, groups, scored
from fusible.tasks._answer_types import answer_type, question_type, question_types
from fusible.tasks.answerer import with_rules
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
    answer: str | Sequence[str],
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
    pictures alone, the most frequent answer, and that per question type; the verdict compares with the best of them.
    Rows that share a picture stay in one part of the split, unless the table has a split of its own or few pictures
    are in most rows; a note says how many test rows show a picture of training rows.

    Where several people answered a question, an answer earns its VQA accuracy (Antol et al., ICCV 2015), and networks
    learn shares: each answer has what it earns, divided by what all of them earn (Kazemi & Elqursh, 2017).

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table, one row per question; see `fusible.read`. Pictures and questions may be missing.
    image : str or sequence of str
        Column of pictures, or several where a question is about several, in the order in which they are asked about.
    question : str
        Column of questions.
    answer : str or sequence of str
        Column of answers, or several, one per person; a cell may hold a list of them. Answers that differ only in case
        or blanks are one.
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
    table = read_answers(
        data, image, question, answer,
        columns=columns, answers=answers, seed=seed, device=device, workers=workers, cache=cache, progress=progress,
    )  # fmt: skip
    named.plan(wanted, len(table.views))
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
        check_accuracy(accuracy)
    if isinstance(answers, bool) or not isinstance(answers, int) or answers < 2:
        raise ConfigError(
            f"answers: expected a whole number, at least 2, of those that the model may know, got {answers!r}"
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """What validation rows choose: the strategy and the baseline it is compared with, calibration, threshold."""

    chosen: Scored
    baseline: Scored
    found: tuple[Scored, ...]
    calibrated: Calibrated
    threshold: float | None


def _choose(
    table: AnswerTable,
    study: Study,
    wanted: Sequence[str],
    types: Sequence[str],
    abstain: float | None,
    accuracy: float | None,
) -> _Choice:
    blind = [scored(table, f, "baseline") for f in study.fitted if f.family == "single"] + frequent(table, types)
    fused = [scored(table, f, "candidate") for f in study.fitted if f.family != "single"]
    fused += [one for one in blind if one.name in wanted]
    if not fused:
        raise ConfigError(f"strategies {wanted}: none could be fitted here (see `fusible compare`); name others")
    chosen = best(fused, table)
    baseline = best([one for one in blind if one is not chosen], table)
    calibrated = calibrate(chosen.valid, table)
    threshold = abstain
    if accuracy is not None:
        sure = calibrated(chosen.valid, table.context.task).max(axis=1)
        threshold = threshold_for(sure, earned(table, table.split.valid, chosen.valid), accuracy)
    if threshold == NEVER:
        table.context.notes.append(
            f"no threshold makes {accuracy:.1%} of the given answers right on validation rows: none is given"
        )
    others = (one for one in [*fused, *(b for b in blind if b not in fused)] if one is not chosen)
    return _Choice(chosen, baseline, (chosen, *others), calibrated, threshold)


def _result(
    table: AnswerTable,
    study: Study,
    wanted: Sequence[str],
    abstain: float | None,
    accuracy: float | None,
    cases: int,
) -> Answers:
    context, split = table.context, table.split
    types = question_types([table.questions[row] for row in context.split.train if table.questions[row]])
    choice = _choose(table, study, wanted, types, abstain, accuracy)
    chosen, baseline = choice.chosen, choice.baseline
    images = tuple(name for view in table.images for name in view.columns)
    rules = Rules(images, table.question.columns[0], table.answers, choice.calibrated, choice.threshold, types)
    answerer = with_rules(_model(table, study, chosen), rules)
    sure = choice.calibrated(chosen.test, context.task).max(axis=1)
    hit, blind = (earned(table, split.test, one.test) for one in (chosen, baseline))
    metric = VQA_ACCURACY if table.people.several else ACCURACY
    difference = paired(Ratio.mean(hit), Ratio.mean(blind), seed=context.seed)
    bins = binned(sure, hit)
    result = Answers(
        strategy=chosen.name,
        baseline=baseline.name,
        verdict=NO_EVIDENCE if chosen.kind == "baseline" else verdict(difference),
        difference=difference,
        statement=_statement(chosen, baseline, difference, metric),
        rows=[_row(table, one, choice) for one in choice.found],
        parts=split.sizes,
        unseen={part: int((table.truth[split.parts[part]] < 0).sum()) for part in ("valid", "test")},
        answers=context.task.classes,
        question_types=groups(
            [question_type(table.questions[row], types) for row in split.test], hit, blind, context.seed
        ),
        answer_types=groups([answer_type(table.cells[row]) for row in split.test], hit, blind, context.seed),
        temperature=choice.calibrated.temperature,
        ece=calibration_error(bins),
        bins=bins,
        abstain=None if choice.threshold is None else covered(sure, hit, choice.threshold),
        curve=coverage_curve(sure, hit),
        metric=metric,
        scores=_scores(table, chosen),
        views=_views(study),
        settings=_settings(study),
        notes=list(context.notes),
        problems=_problems(context),
        versions=versions(),
        answerer=answerer,
    )
    result.cases = worst_and_best(table, answerer, chosen, baseline, cases)
    return result


def _statement(chosen: Scored, baseline: Scored, difference: Difference, metric: str) -> str:
    if chosen.kind == "baseline":
        return f"Nothing is fused: {chosen.name} was named, and answers by one view alone."
    return statement(difference, metric=metric, auto=chosen.name, best_single=baseline.name)


def _row(table: AnswerTable, one: Scored, choice: _Choice) -> Answered:
    return Answered(
        one.name,
        "chosen" if one is choice.chosen else one.kind,
        interval(Ratio.mean(earned(table, table.split.test, one.test)), seed=table.context.seed),
        float(earned(table, table.split.valid, one.valid).mean()),
        0.0 if one.fitted is None else round(one.fitted.seconds, 3),
        0 if one.fitted is None else one.fitted.node.parameters(),
    )


def _scores(table: AnswerTable, chosen: Scored) -> dict[str, float]:
    """Exact match with any person's answer, VQA accuracy, and WUPS where WordNet is there, on test rows."""
    task, rows = table.context.task, table.split.test
    given = [task.classes[place] for place in decide(task, chosen.test)]
    found = answer_scores(given, [table.people.given[row] for row in rows]).corpus
    return {name: value for name, value in found.items() if value is not None}


def _model(table: AnswerTable, study: Study, chosen: Scored) -> Model:
    context, fitted = table.context, chosen.fitted
    if fitted is None:
        raise TypeError(f"{chosen.name} is no fitted strategy")
    node = fitted.node
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
    return Model(node, context.target, columns, views, ACCURACY, None, info)
