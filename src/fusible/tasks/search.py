"""A search within a budget of time: encoders, operators and their few hyper-parameters, hopeless ones stopped early.

Trials are proposed by Optuna (tree-structured Parzen estimator, Bergstra et al. 2011) and stopped where their
validation loss is behind the median of earlier trials at the same epoch (Akiba et al., KDD 2019). Every trial is a head
on encoded views, so that nothing is encoded twice. The best few become strategies `feature:<operator>#<n>` that greedy
selection and the choice of `auto` see beside all others.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fusible import registry
from fusible.errors import ConfigError, TooLargeError
from fusible.tasks.context import Context, Fitted
from fusible.tasks.features import fit_feature
from fusible.tasks.offset import OwnScores
from fusible.tasks.settings import Tuning, head_settings
from fusible.tasks.singles import Candidate
from fusible.tasks.source import stage
from fusible.training.loop import History

KEPT = 3
"""Best trials that become strategies."""
WARM = 5
"""Trials that are never stopped early: what others are measured by."""
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(slots=True)
class Trial:
    """One trial: what was tried, its held-out score, and whether it was stopped early."""

    number: int
    operator: str
    encoders: dict[str, str]
    settings: dict[str, Any]
    loss: float
    seconds: float
    stopped: bool = False

    def plain(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "trial": self.number,
            "operator": self.operator,
            "encoders": self.encoders,
            **self.settings,
            "validation_loss": round(self.loss, 5) if math.isfinite(self.loss) else None,
            "seconds": round(self.seconds, 2),
            "stopped_early": self.stopped,
        }


def seconds_of(budget: str | float | None) -> float | None:
    """Read a budget: seconds, or a number with s, m or h.

    >>> seconds_of("10m"), seconds_of(90)
    (600.0, 90.0)
    """
    if budget is None:
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(budget))
    if not found or float(found[1]) <= 0:
        raise ConfigError(f"budget {budget!r}: expected a positive time such as 90s, 10m or 1h")
    return float(found[1]) * UNITS[found[2]]


def search(
    context: Context, candidates: dict[str, list[Candidate]], seconds: float, own: OwnScores | None = None
) -> tuple[list[Fitted], list[Trial]]:
    """Try combinations until `seconds` are over; the best few as fitted strategies, and everything that was tried.

    `own`: what the views' own predictors say, from which every trial starts.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=context.seed, n_startup_trials=WARM),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=WARM, n_warmup_steps=2),
    )
    trials: list[Trial] = []
    found: dict[int, Fitted] = {}
    end = time.perf_counter() + seconds
    with stage(context.progress, "search") as bar:
        while time.perf_counter() < end:
            proposed = study.ask()
            trial, fitted = _attempt(context, candidates, proposed, end, own)
            trials.append(trial)
            bar.advance()
            if fitted is None:
                study.tell(proposed, state=optuna.trial.TrialState.PRUNED)
                continue
            study.tell(proposed, trial.loss)
            found[trial.number] = fitted
            for number in sorted(found, key=lambda n: trials[n].loss)[KEPT:]:
                del found[number]
    return [found[number] for number in sorted(found)], trials


class _Stop(Exception):  # noqa: N818
    """A trial that is not worth going on with."""


def _attempt(
    context: Context, candidates: dict[str, list[Candidate]], proposed: Any, end: float, own: OwnScores | None
) -> tuple[Trial, Fitted | None]:
    """Fit what Optuna proposes; nothing is fitted where it is stopped or does not fit in memory."""
    encoding = {view: [c for c in found if c.encoder.encodes] for view, found in candidates.items()}
    names = {view: [c.encoder_name for c in found] for view, found in encoding.items() if found}
    picked = {view: proposed.suggest_categorical(f"encoder:{view}", options) for view, options in names.items()}
    chosen = [encoding[view][names[view].index(name)] for view, name in picked.items()]
    operator = proposed.suggest_categorical("operator", list(registry.names("fusion")))
    tuning = _tuning(context, proposed)
    settings = {k: v for k, v in proposed.params.items() if k != "operator" and not k.startswith("encoder:")}
    trial = Trial(proposed.number, operator, picked, settings, math.inf, 0.0)
    start = time.perf_counter()
    try:
        fitted = fit_feature(context, operator, chosen, tuning, own=own, watch=_watch(proposed, end))
    except (_Stop, TooLargeError):
        trial.stopped, trial.seconds = True, time.perf_counter() - start
        return trial, None
    trial.seconds, trial.loss = time.perf_counter() - start, _loss(context, fitted)
    return trial, replace(fitted, name=f"feature:{operator}#{proposed.number}")


def _watch(proposed: Any, end: float) -> Callable[[History], None]:
    """Report each epoch; stop where the median of earlier trials is better, or the budget is over."""

    def watch(history: History) -> None:
        proposed.report(min(history.valid), len(history.valid))
        if proposed.should_prune() or time.perf_counter() > end:
            raise _Stop

    return watch


def _tuning(context: Context, proposed: Any) -> Tuning:
    """The few hyper-parameters: width, regularisation, rate."""
    base = head_settings(len(context.split.train))
    training = replace(
        base,
        peak_rate=proposed.suggest_float("peak_rate", base.peak_rate / 4, base.peak_rate * 4, log=True),
        weight_decay=proposed.suggest_float("weight_decay", 1e-3, 0.5, log=True),
    )
    return Tuning(
        width=proposed.suggest_categorical("width", [32, 64, 128, 256]),
        training=training,
        dropout=proposed.suggest_float("dropout", 0.0, 0.5),
        modality_dropout=proposed.suggest_float("modality_dropout", 0.0, 0.5),
    )


def _loss(context: Context, fitted: Fitted) -> float:
    """Log-loss or squared error on validation rows, in learned units."""
    valid = context.split.valid[np.isfinite(fitted.held_out[context.split.valid]).all(axis=1)]
    scores, truth = fitted.held_out[valid], context.learned[valid]
    if context.task.kind == "regression":
        return float(np.mean((scores[:, 0] - truth) ** 2))
    clipped = scores.clip(1e-9, 1 - 1e-9)
    if context.task.kind == "multilabel":
        return float(-np.mean(np.where(truth == 1, np.log(clipped), np.log1p(-clipped))))
    return float(-np.mean(np.log(clipped[np.arange(len(valid)), truth.astype(int)])))
