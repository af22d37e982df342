"""Semantic matching: views meet in the space of class probabilities (Rasiwasia et al., 2010)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from fusible.alignment._projections import Affine
from fusible.errors import TargetError
from fusible.tasks._retrieval_candidates import Candidate, Trial
from fusible.tasks._retrieval_head import Head, Part

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths of the ridge of logistic regressions, on standardised columns."""
SHARPNESS = (0.5, 1.0, 2.0)
"""Factors of log-odds that are tried: how far a judgement is trusted."""
STEPS = 300


def semantic(trial: Trial) -> Candidate:
    """Probabilities by a logistic regression on each view's own vectors."""
    projections: dict[str, nn.Module] = {}
    for view, vectors in trial.train.vectors.items():
        eye = Affine(vectors.shape[1], vectors.shape[1])
        eye.weight.copy_(torch.eye(vectors.shape[1], dtype=torch.float64))
        projections[view] = eye
    parts = {view: _judge(trial, view, Part(module, _outputs(module))) for view, module in projections.items()}
    folded = {view: _folded(part) for view, part in parts.items()}
    return _sharpened(trial, "semantic", folded)


def semantic_on(trial: Trial, correlated: Candidate) -> Candidate:
    """Probabilities by a logistic regression on the outputs of a candidate of one part (semantic correlation matching).

    Raises nothing: a candidate of several parts gives that of its first.
    """
    parts = {view: _judge(trial, view, head.weighed()[0][0]) for view, head in correlated.heads.items()}
    return _sharpened(trial, f"semantic({correlated.name})", parts)


def _outputs(projection: nn.Module) -> int:
    spec = getattr(projection, "spec")  # noqa: B009
    return int(spec["outputs"])


@torch.inference_mode()
def _seen(part: Part, vectors: np.ndarray) -> np.ndarray:
    rows = part.projection(torch.from_numpy(vectors.astype(np.float32))).float()
    return np.asarray((((rows - part.shift) * part.scale).double()).numpy())


def _judge(trial: Trial, view: str, part: Part) -> Part:
    """The part with class probabilities on top, of the strength whose log-loss on validation rows is least.

    Without such rows the strongest ridge stays. Raises `TargetError` for a view that training rows hold in fewer than
    two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train, valid = ((rows, rows.classes) for rows in (trial.train, trial.valid))
    sides = []
    for rows, classes in (train, valid):
        assert classes is not None
        here = np.flatnonzero((classes >= 0) & np.isfinite(rows.vectors[view]).all(axis=1))
        sides.append((_seen(part, rows.vectors[view][here]), classes[here]))
    (x, y), (x_valid, y_valid) = sides
    if (seen := len(np.unique(y))) < 2:
        raise TargetError(
            f"semantic: training rows with view {view!r} are of {seen} classes, expected two or more; leave the view "
            "out, or name other methods"
        )
    mean, spread = x.mean(axis=0), x.std(axis=0)
    factor = np.where(spread > 1e-9 * max(float(spread.max()), 1e-30), 1.0 / np.maximum(spread, 1e-300), 0.0)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    number = int(max(y.max(), y_valid.max(initial=0))) + 1
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=STEPS)
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):  # small products: threads only wait
            warnings.simplefilter("ignore")  # a fit that stopped early is one more candidate, judged like the others
            model.fit((x - mean) * factor, y)
        weight, bias = _whole(model, number)
        loss = _log_loss(((x_valid - mean) * factor) @ weight + bias, y_valid)
        if best is None or loss < best[0]:
            best = (loss, weight, bias)
    assert best is not None
    made = Part(part.projection, len(mean), number)
    assert made.logits is not None
    scale = part.scale.double().numpy()
    made.shift.copy_(torch.from_numpy(part.shift.double().numpy() + mean / np.where(scale != 0, scale, 1.0)))
    made.scale.copy_(torch.from_numpy(scale * factor))
    with torch.no_grad():
        made.logits.weight.copy_(torch.from_numpy(best[1].T.copy()))
        made.logits.bias.copy_(torch.from_numpy(best[2]))
    return made.eval().requires_grad_(False)


def _whole(model: object, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (columns, classes) and biases (classes,) of a regression that may not have seen every class."""
    coef, intercept, seen = (np.asarray(getattr(model, name)) for name in ("coef_", "intercept_", "classes_"))
    if len(coef) == 1:  # two classes: log-odds of the second
        coef, intercept = np.vstack([-coef / 2, coef / 2]), np.array([-intercept[0] / 2, intercept[0] / 2])
    weight, bias = np.zeros((coef.shape[1], number)), np.full(number, -20.0)
    weight[:, seen], bias[seen] = coef.T, intercept
    return weight, bias


def _log_loss(logits: np.ndarray, classes: np.ndarray) -> float:
    if not len(classes):
        return 0.0
    top = logits.max(axis=1, keepdims=True)
    log = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return float(-log[np.arange(len(log)), classes].mean())


def _folded(part: Part) -> Part:
    """The same part with log-odds by one affine projection: nothing as large as columns squared is kept."""
    assert part.logits is not None
    weight = part.logits.weight.detach().double().T
    scaled = part.scale.double()[:, None] * weight
    module = Affine(len(part.shift), part.classes)
    module.weight.copy_(scaled)
    module.mean.copy_(part.shift.double())
    made = Part(module, part.classes, part.classes)
    assert made.logits is not None
    with torch.no_grad():
        made.logits.weight.copy_(torch.eye(part.classes))
        made.logits.bias.copy_(part.logits.bias)
    return made.eval().requires_grad_(False)


def _sharpened(trial: Trial, name: str, parts: dict[str, Part]) -> Candidate:
    return max(_sharper(trial, name, parts), key=lambda one: one.valid)


def _sharper(trial: Trial, name: str, parts: dict[str, Part]) -> Iterator[Candidate]:
    for factor in SHARPNESS:
        heads = {view: Head([_times(part, factor)]).eval() for view, part in parts.items()}
        yield trial.judge(Candidate(name, heads, {"sharpness": factor}))


def _times(part: Part, factor: float) -> Part:
    assert part.logits is not None
    made = Part(part.projection, len(part.shift), part.classes)
    made.load_state_dict(part.state_dict())
    assert made.logits is not None
    with torch.no_grad():
        made.logits.weight.mul_(factor)
        made.logits.bias.mul_(factor)
    return made.eval().requires_grad_(False)
