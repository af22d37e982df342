"""Half of one view's cells absent at prediction: every strategy against the best other view alone and against filling.

On noisy digits and fashion (usage), each view in turn is hidden at random in half of the test rows. Each strategy is
compared, on the same rows, with the best single view that is not hidden, and each fusion operator with itself when the
hidden view's encoding is filled by zeros or by its mean over training rows and taken for present. Each (table, seed) is
written beside the result, `--jobs` of them run side by side: a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from _harness import Benchmark, data_folder, few
from _parts import Parts
from fashion import FASHION
from noisy_digits import build

RATE = 0.5
FAMILIES = {"feature": "operators", "model": "rules"}
DRAWS = 10
"""Masks per hidden view; the score is their mean."""
QUICK = ("feature:concat", "feature:impute+concat", "model:average")


@dataclass(frozen=True, slots=True)
class Measured:
    """One strategy with one view half hidden: its score, the best other view alone, the better of the two fillings.

    `error` is the standard error of the margin over the better filling, over rows.
    """

    strategy: str
    hidden: str
    score: float
    other: float
    filled: float | None
    error: float | None

    @property
    def over_other(self) -> float:
        """Margin over the best other view alone."""
        return self.score - self.other

    @property
    def over_filled(self) -> float | None:
        """Margin over the better filling; none for what is no fusion operator."""
        return None if self.filled is None else self.score - self.filled


def strategies() -> list[str]:
    """Every operator and rule, and imputation before the plain operator."""
    from fusible import registry

    features = [f"feature:{name}" for name in registry.names("fusion")]
    return [*features, "feature:impute+concat", *(f"model:{name}" for name in registry.names("ensembles"))]


def measure(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """What is kept of a table: every strategy with each view half hidden."""
    data, target, options = TABLES[name](seed, args.quick)
    return {"found": [asdict(one) for one in measured(data, target, seed, args, **options)]}


def measured(data: Any, target: str, seed: int, args: Any, **options: Any) -> list[Measured]:
    """Fit every strategy on one table and score it with each view half hidden."""
    from fusible.tasks._ground import Ledger, remembering
    from fusible.tasks.compare import fit_strategies, prepare
    from fusible.tasks.robustness import study_ground

    columns, encoders = options.get("columns"), options.get("encoders") or {}
    context, views = prepare(data, target, columns, None, None, seed, device=args.device, cache=args.cache)
    study = fit_strategies(context, views, encoders, QUICK if args.quick else strategies())
    ground, subjects = study_ground(context, study.fitted)
    ledgers = {one.name: Ledger(ground, one) for one in remembering(subjects)[0]}
    nothing = np.zeros((len(ground.rows), len(ground.views)), bool)
    clean = {name: _score(ground, ledger.scores(nothing)) for name, ledger in ledgers.items()}
    found = []
    for place, view in enumerate(ground.views):
        masks = _masks(nothing, place, seed)
        other = max(clean[f"single:{one.name}"] for one in ground.views if one is not view)
        for fitted in study.fitted:
            if fitted.family == "single":
                continue
            score = fmean(_score(ground, ledgers[fitted.name].scores(mask)) for mask in masks)
            filled = _filled(context, ground, fitted, view.name, [mask[:, place] for mask in masks])
            found.append(Measured(fitted.name, view.name, score, other, *filled))
    return found


def _masks(nothing: np.ndarray, place: int, seed: int) -> list[np.ndarray]:
    from fusible.evaluation.missing import at_random

    masks = [nothing.copy() for _ in range(DRAWS)]
    for draw, mask in enumerate(masks):
        mask[:, place] = at_random(len(mask), RATE, 1_000 * seed + draw)
    return masks


def _filled(
    context: Any, ground: Any, fitted: Any, view: str, masks: Sequence[np.ndarray]
) -> tuple[float | None, float | None]:
    """The better of two fillings of the same fitted operator, and the standard error of the margin over it.

    A row's score depends on nothing but its own cells, so that masks choose between two predictions.
    """
    from fusible.tasks.fill import FILLS, filled_scores

    if fitted.family != "feature" or "+" in fitted.name:
        return None, None
    source, rows, train = ground.source, ground.rows, context.split.train
    hidden = {view: np.ones(context.source.dataset.rows, bool)}
    whole = fitted.node.scores(source, rows)
    unseen = fitted.node.scores(source.hiding(hidden), rows)
    scores, errors = [], []
    for fill in FILLS:
        made_up = filled_scores(fitted.node, context.source, rows, hidden, fill, train)
        scores.append(fmean(_score(ground, np.where(mask[:, None], made_up, whole)) for mask in masks))
        errors.append(_error(ground, unseen, made_up))
    return max(scores), RATE * max(errors)


def _score(ground: Any, scores: np.ndarray) -> float:
    from fusible.evaluation.metrics import score

    return score(ground.metric, ground.target.task, ground.truth, ground.target.backward(scores))


def _error(ground: Any, one: np.ndarray, other: np.ndarray) -> float:
    """Standard error of the difference of two scores on the same rows, from its bootstrap interval."""
    from fusible.evaluation.bootstrap import paired

    backward = ground.target.backward
    found = paired(ground.metric, ground.target.task, ground.truth, backward(one), backward(other))
    return (found.high - found.low) / 3.92


def judge(benchmark: Benchmark, table: str, runs: Sequence[Sequence[Measured]]) -> None:
    """Add rows of means over seeds, and judge the smallest margins."""
    means = [_mean(same) for same in zip(*runs, strict=True)]
    for one in means:
        benchmark.row(
            table=table,
            hidden=one.hidden,
            strategy=one.strategy,
            score=one.score,
            best_other_view=one.other,
            margin=one.over_other,
            best_filled=one.filled,
            margin_filled=one.over_filled,
            error_filled=one.error,
        )
    for family, title in FAMILIES.items():
        own = [one for one in means if one.strategy.startswith(f"{family}:")]
        worst = min(own, key=lambda one: one.over_other)
        text = f"{table}: half of one view absent, {title}: smallest margin over the best other view ({_named(worst)})"
        benchmark.claim(text, worst.over_other, at_least=0.0)
    fillable = [one for one in means if one.filled is not None]
    worst = min(fillable, key=lambda one: one.over_filled or 0.0)
    text = f"{table}: half of one view absent: smallest margin over filling by zeros or mean ({_named(worst)})"
    benchmark.claim(text, worst.over_filled or 0.0, at_least=0.0)
    worst = min(fillable, key=_upper)
    text = f"{table}: the same, smallest upper end of a margin's 95 % interval over rows ({_named(worst)})"
    benchmark.claim(text, _upper(worst), at_least=0.0)


def _mean(same: Sequence[Measured]) -> Measured:
    """Mean over seeds of one strategy and hidden view; the error is that of the mean."""
    first = same[0]
    filled = None if first.filled is None else fmean(one.filled or 0.0 for one in same)
    error = None if first.error is None else sum((one.error or 0.0) ** 2 for one in same) ** 0.5 / len(same)
    score, other = fmean(one.score for one in same), fmean(one.other for one in same)
    return Measured(first.strategy, first.hidden, score, other, filled, error)


def _upper(one: Measured) -> float:
    return (one.over_filled or 0.0) + 1.96 * (one.error or 0.0)


def _named(worst: Measured) -> str:
    return f"{worst.strategy}, {worst.hidden} hidden"


def _digits(seed: int, quick: bool) -> tuple[Any, str, dict[str, Any]]:
    data_folder("mnist")
    data_folder("fsdd")
    if quick:
        return build(seed, 300, 100), "digit", {"encoders": {"image": "image_cnn", "audio": "audio_stats"}}
    return build(seed), "digit", {}


def _fashion(seed: int, quick: bool) -> tuple[Any, str, dict[str, Any]]:
    import fusible

    del seed
    columns = {name: "category:ignore" for name in FASHION if name != "usage"}
    data: Any = fusible.read(data_folder("fashion") / "fashion.parquet", columns=columns, target="usage")
    if not quick:
        return data, "usage", {}
    cheap = {"text": "text_tfidf", "image": "image_efficientnet"}
    return few(data, 24), "usage", {"encoders": {name: cheap[view.modality] for name, view in data.views.items()}}


TABLES = {"noisy_digits": _digits, "fashion_usage": _fashion}


def main() -> None:
    """Run what is lacking, then judge both tables."""
    parts = Parts("missing", __doc__, "table", list(TABLES))
    for name, runs in parts.run(measure).items():
        judge(parts.benchmark, name, [[Measured(**one) for one in run["found"]] for run in runs])
    parts.benchmark.finish()


if __name__ == "__main__":
    main()
