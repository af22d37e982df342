"""Fitted strategies with views missing or corrupted: every subset of views, missing rates, severities."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from fusible.errors import ConfigError
from fusible.evaluation.missing import (
    MOST_VIEWS,
    RATES,
    at_random,
    class_order,
    not_at_random,
    subsets,
)
from fusible.evaluation.robustness import ALL, BY_TARGET, RANDOM, Curve, RobustnessResult, Subset
from fusible.tasks._corrupted import corruption_curves
from fusible.tasks._ground import Ground, Ledger, Subject, curves, remembering
from fusible.tasks.choose import threshold_of
from fusible.tasks.context import Context, Fitted
from fusible.tasks.source import Progress, Source, stage

if TYPE_CHECKING:
    from fusible.tasks.model import Model

ROWS = 2_000
"""Most rows that are scored."""
LEAST_ROWS = 200
VALUES = 100_000_000
"""Predicted values held at once, over strategies, subsets, rows and outputs; where they are more, fewer rows serve."""
DRAWS = 5
"""Seeded draws of masks at each missing rate; scores and bounds are means over them."""
CORRUPTED_ROWS = 500
"""Most rows whose items are corrupted and encoded again, for each corruption and severity."""


@dataclass(frozen=True, slots=True)
class RobustnessSettings:
    """What is measured: `missing` views, `corrupt` items, rates and draws of masks, rows."""

    missing: bool = True
    corrupt: bool = True
    rates: tuple[float, ...] = RATES
    draws: int = DRAWS
    rows: int = ROWS
    corrupted_rows: int = CORRUPTED_ROWS

    def __post_init__(self) -> None:
        if len(self.rates) < 2 or self.rates[0] != 0 or list(self.rates) != sorted({*self.rates}) or self.rates[-1] > 1:
            raise ConfigError(f"missing rates: expected shares that rise from 0 to at most 1, got {self.rates}")
        if min(self.draws, self.rows, self.corrupted_rows) < 1:
            raise ConfigError(
                "robustness: draws, rows and corrupted_rows must be at least 1, "
                f"got {self.draws}, {self.rows} and {self.corrupted_rows}"
            )


def study_robustness(
    context: Context,
    fitted: Sequence[Fitted],
    baseline: str | None = None,
    settings: RobustnessSettings | None = None,
) -> RobustnessResult:
    """Measure every strategy of a study on its test rows; `baseline` is usually its best single view.

    Nothing is chosen by what is found, and nothing is encoded again but corrupted items.
    """
    ground, subjects = study_ground(context, fitted)
    return measure(ground, subjects, settings or RobustnessSettings(), baseline, context.progress)


def study_ground(context: Context, fitted: Sequence[Fitted]) -> tuple[Ground, list[Subject]]:
    """Test rows of a study and its strategies, ready to be measured; items of other rows are not encoded for it."""
    subjects = [Subject(f.name, f.node, threshold_of(context, f)) for f in fitted]
    used = {view.name for f in fitted for view, _ in f.node.inputs()}
    views = tuple(view for name, view in context.source.dataset.views.items() if name in used)
    test = context.split.test
    others = ~np.isin(np.arange(context.source.dataset.rows), test)
    source = context.source.replacing({}).hiding({view.name: others for view in views if context.source.data(view)})
    source.problems, source.counts = [], dict(source.counts)
    truth = context.target.original(context.learned[test])
    return Ground(source, test, truth, context.target, context.metric, views, context.seed), subjects


def model_robustness(
    model: Model,
    data: Any,
    settings: RobustnessSettings | None = None,
    *,
    seed: int = 0,
    workers: int = 4,
    progress: Progress | None = None,
) -> RobustnessResult:
    """Measure a model on a table with its target; there is no baseline."""
    settings = settings or RobustnessSettings()
    dataset = model.read(data)
    truth, known = model.labelled(dataset)
    chosen = known[_sample(len(known), settings.rows, seed)]
    source = Source(dataset, workers=workers, rows=chosen, progress=progress)
    rows, subject = np.arange(len(chosen)), Subject(model.node.name, model.node, model.threshold)
    ground = Ground(source, rows, truth[chosen], model.target, model.metric, model.views, seed)
    return measure(ground, [subject], settings, None, progress)


def measure(
    ground: Ground,
    subjects: Sequence[Subject],
    settings: RobustnessSettings,
    baseline: str | None = None,
    progress: Progress | None = None,
) -> RobustnessResult:
    """Measure strategies on one ground: all see the same rows, masks and corrupted items."""
    start = time.perf_counter()
    if baseline is not None and baseline not in {subject.name for subject in subjects}:
        raise ConfigError(f"baseline {baseline!r}: expected one of {[subject.name for subject in subjects]}")
    shared, memory = remembering(subjects)
    for subject in shared:  # while every view is there: what is first encoded with a view hidden lacks its items
        subject.node.prepare(ground.source)
    total, held = len(ground.rows), _affordable(ground, subjects, settings)
    ground = ground.part(_sample(total, held, ground.seed))
    names = tuple(view.name for view in ground.views)
    result = RobustnessResult(
        ground.target.task,
        ground.metric,
        ground.target.column,
        len(ground.rows),
        names,
        tuple(subject.name for subject in subjects),
        baseline,
        seed=ground.seed,
    )
    if held < total:
        result.notes.append(f"measured on a seeded sample of {held} of {total} rows")
    if len(names) > MOST_VIEWS:
        result.notes.append(f"{len(names)} views: each alone, all but one and all are scored, not every subset")
    if settings.missing:
        ledgers = [Ledger(ground, subject) for subject in shared]
        with stage(progress, "subsets of views", len(subsets(names))) as bar:
            for seen in subsets(names):
                result.subsets += [_subset(ground, ledger, seen) for ledger in ledgers if _fits(ledger, seen)]
                memory.clear()
                bar.advance()
        with stage(progress, "missing rates", None):
            result.curves += _missing_curves(ground, ledgers, settings, baseline)
    if settings.corrupt:
        part = ground.part(_sample(len(ground.rows), settings.corrupted_rows, ground.seed))
        result.sampled = len(part.rows)
        found, notes = corruption_curves(part, shared, memory, baseline, progress)
        result.curves += found
        result.notes += notes
    memory.clear()
    result.seconds = time.perf_counter() - start
    return result


def _fits(ledger: Ledger, seen: tuple[str, ...]) -> bool:
    """Whether a strategy sees one of these views: it answers with its prior otherwise."""
    return bool(set(ledger.subject.views) & set(seen))


def _subset(ground: Ground, ledger: Ledger, seen: tuple[str, ...]) -> Subset:
    absent = np.array([view.name not in seen for view in ground.views])
    scores = ledger.scores(np.tile(absent, (len(ground.rows), 1)))
    return Subset(ledger.subject.name, seen, ground.score(scores, ledger.subject.threshold))


def _missing_curves(
    ground: Ground, ledgers: Sequence[Ledger], settings: RobustnessSettings, baseline: str | None
) -> list[Curve]:
    """Score against missing rate, at random and by target, of each view and of all at once."""
    places = {view.name: [place] for place, view in enumerate(ground.views)}
    if len(places) > 1:
        places[ALL] = list(range(len(ground.views)))
    found = []
    for kind, (name, hit) in product((RANDOM, BY_TARGET), places.items()):
        masks = [[_mask(ground, kind, hit, rate, draw) for draw in _draws(rate, settings)] for rate in settings.rates]
        scores = {
            ledger.subject.name: tuple(
                ground.average([ledger.scores(mask) for mask in drawn], ledger.subject.threshold) for drawn in masks
            )
            for ledger in ledgers
            if name == ALL or name in ledger.subject.views or ledger.subject.name == baseline
        }
        shown = [one.subject.name for one in ledgers if name == ALL or name in one.subject.views]
        found += curves(ground, (kind, name, ""), settings.rates, scores, shown, baseline)
    return found


def _draws(rate: float, settings: RobustnessSettings) -> range:
    return range(settings.draws if rate else 1)


def _mask(ground: Ground, kind: str, hit: Sequence[int], rate: float, draw: int) -> np.ndarray:
    """Bool (rows, views): the views at `hit` hidden, each by a draw of its own."""
    rows = len(ground.rows)
    hidden = np.zeros((rows, len(ground.views)), bool)
    for place in hit:
        seed = _seed(ground.seed, draw, place)
        if kind == RANDOM:
            hidden[:, place] = at_random(rows, rate, seed)
        else:
            task = ground.target.task
            value = ground.truth if task.kind == "regression" else class_order(ground.truth, task.outputs, seed)
            hidden[:, place] = not_at_random(value, rate, seed)
    return hidden


def _seed(*numbers: int) -> int:
    """One seed of several numbers."""
    return int.from_bytes(np.random.SeedSequence(list(numbers)).generate_state(1).tobytes())


def _affordable(ground: Ground, subjects: Sequence[Subject], settings: RobustnessSettings) -> int:
    """Rows that are scored: as set, or fewer where all that is held would grow too large."""
    patterns: int = 2 ** min(len(ground.views), MOST_VIEWS)
    most = VALUES // (patterns * len(subjects) * ground.target.task.outputs)
    return min(len(ground.rows), settings.rows, max(LEAST_ROWS, most))


def _sample(rows: int, most: int, seed: int) -> np.ndarray:
    """Places of at most so many rows, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
