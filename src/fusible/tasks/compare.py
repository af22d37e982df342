"""The study: every strategy on one split, honestly (design, section 5)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fusible.data.cache import ArrayCache
from fusible.data.dataset import Dataset
from fusible.data.read import read
from fusible.data.split import Split, make_split
from fusible.errors import ConfigError, MissingExtraError, TargetError
from fusible.evaluation import metrics
from fusible.evaluation.cost import Stages
from fusible.evaluation.study import StudyResult
from fusible.tasks import strategies
from fusible.tasks.context import Context, Fitted
from fusible.tasks.encoders import encoders_of, ready_encoder
from fusible.tasks.results import study_result
from fusible.tasks.search import seconds_of
from fusible.tasks.singles import Candidate, best_input, fit_single, represent
from fusible.tasks.source import Progress, Source
from fusible.tasks.target import Target, read_target
from fusible.tasks.transform import with_best_transform
from fusible.types import View


@dataclass(slots=True)
class Study:
    """A study on its way: what was read, what is fitted, and how long each stage took."""

    context: Context
    views: tuple[View, ...]
    candidates: dict[str, list[Candidate]]
    chosen: list[Candidate]
    fitted: list[Fitted]
    reasons: dict[str, str]
    stages: Stages


def compare(
    data: Any,
    target: str,
    *,
    columns: Mapping[str, str] | None = None,
    views: Mapping[str, Sequence[str]] | None = None,
    encoders: Mapping[str, str] | None = None,
    strategies: Sequence[str] | None = None,
    metric: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
    command: str = "",
    keep: str | None = None,
    budget: str | float | None = None,
    robust: bool = False,
) -> StudyResult:
    """Fit every strategy on one split and say whether fusing helps.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table; see `fusible.read`.
    target : str
        Column to predict.
    columns, views : mapping, optional
        What columns are and which are joined; see `fusible.read`.
    encoders : mapping, optional
        `{view: encoder}` instead of the default rule; registered names or `hf:PATH`.
    strategies : sequence of str, optional
        Names such as `feature:concat`, `model:product`, `end_to_end:joint` (default: all). `single:<view>` of every
        view always runs.
    metric : str, optional
        The metric that chooses and is reported first (default: accuracy, macro F1 for several labels, R²).
    seed : int
        Seeds the split, weights, batches and resamples: same seed, same machine, same result.
    device : str
        A torch device for training and encoding.
    workers : int, optional
        Threads that decode (default 4).
    cache : path, optional
        Folder of the feature cache (default: `FUSIBLE_CACHE`, else the user's cache folder).
    progress : object, optional
        Shows stages; see `fusible.apps.progress`.
    command : str
        The command that reproduces the study, for the report.
    keep : str, optional
        The strategy whose model is kept as `best`, instead of the one that held-out rows choose.
    budget : str or float, optional
        Time to search for better encoders, operators and settings after the strategies are fitted, such as "10m" or
        seconds; `settings["tried"]` of the result says what was tried.
    robust : bool
        Also score every strategy with views missing and corrupted; see `fusible.robustness`.

    Returns
    -------
    StudyResult
        Scores, verdict, costs; `best` is the fitted `Model` of `auto`.

    Raises
    ------
    FusibleError
        One line: a table, column, target, split or setting that cannot be used.
    """
    start = time.perf_counter()
    limit = seconds_of(budget)
    if limit is not None and find_spec("optuna") is None:
        raise MissingExtraError.of("optuna", "search", "--budget")
    context, used = prepare(
        data, target, columns, views, metric, seed, device=device, workers=workers, cache=cache, progress=progress
    )
    study = fit_strategies(context, used, encoders or {}, strategies, limit)
    result = study_result(study, command=command, keep=keep, robust=robust)
    result.seconds["total"] = time.perf_counter() - start
    return result


def prepare(
    data: Any,
    target: str,
    columns: Mapping[str, str] | None,
    views: Mapping[str, Sequence[str]] | None,
    metric: str | None,
    seed: int,
    *,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
) -> tuple[Context, tuple[View, ...]]:
    """Read the table, its target and its split; the study's fixed parts and its views."""
    dataset: Dataset = read(data, columns=columns, views=views, target=target)
    cells = dataset.to_pandas([target])[target]
    goal, encoded = read_target(dataset.columns[target], cells)
    chosen_metric = _metric(metric, goal)
    if not dataset.views:
        raise TargetError(f"target {target!r}: expected at least one other input column, found none to predict it from")
    split = _split(dataset, goal, encoded, seed)
    store = cache if isinstance(cache, ArrayCache) else ArrayCache(Path(cache) if cache is not None else None)
    source = Source(dataset, cache=store, workers=workers or 4, device=device, progress=progress)
    context = Context(source, split, goal, encoded, chosen_metric, seed, device, progress)
    unknown = int((~goal.known).sum())
    if unknown:
        context.notes.append(f"{unknown} rows without a target are left out")
    return context, tuple(dataset.views.values())


def fit_strategies(
    context: Context,
    views: tuple[View, ...],
    encoders: Mapping[str, str],
    wanted: Sequence[str] | None,
    budget: float | None = None,
) -> Study:
    """Fit singles, features, ensembles and end-to-end networks, and choose among them."""
    plan = strategies.plan(wanted, len(views))
    singles = [f"single:{view.name}" for view in views]
    unknown = [name for name in wanted or () if name.startswith("single:") and name not in singles]
    if unknown:
        raise ConfigError(f"strategy {unknown[0]!r}: no such view; expected one of {', '.join(singles)}")
    if len(views) < 2:
        context.notes.append(
            f"one view only ({views[0].name}): there is nothing to fuse, fusion strategies were skipped"
        )
    stages = Stages()
    with stages("encode"):
        names, reasons = encoders_of(context, views, encoders)
        tokens = plan.reads_tokens or (budget is not None and len(views) > 1)  # a search tries every operator
        ready = {v.name: [(n, ready_encoder(context, v, n, tokens=tokens)) for n in names[v.name]] for v in views}
        plan = strategies.narrowed(context, plan, ready)
    if context.task.kind == "regression":
        with stages("transform"):
            with_best_transform(context, views)
    with stages("single"):
        candidates = {v.name: [fit_single(context, v, n, e) for n, e in ready[v.name]] for v in views}
        best = {name: represent(context, found) for name, found in candidates.items()}
    chosen = [best_input(context, candidates[view.name]) for view in views]
    inputs = [candidate for candidate in chosen if candidate.encoder.encodes]
    fitted = [*best.values(), *strategies.fit(context, plan, candidates, best, inputs, stages, budget)]
    return Study(context, views, candidates, chosen, fitted, reasons, stages)


def _metric(metric: str | None, goal: Target) -> str:
    name = metric or metrics.default_metric(goal.task)
    if name not in metrics.METRICS or goal.task.kind not in metrics.METRICS[name].tasks:
        fitting = [m for m, entry in metrics.METRICS.items() if goal.task.kind in entry.tasks]
        raise ConfigError(
            f"metric {name!r} does not fit a {goal.task.kind} target: expected one of {', '.join(fitting)}"
        )
    return name


def _split(dataset: Dataset, goal: Target, encoded: np.ndarray, seed: int) -> Split:
    strata = np.where(goal.known, encoded.astype(float), np.nan) if encoded.ndim == 1 else encoded
    split = make_split(dataset, strata, seed=seed)
    return Split(*(rows[goal.known[rows]] for rows in split.parts.values()))
