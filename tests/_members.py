"""Members of known strength: posteriors of independent experts, or of one that repeats another."""

import numpy as np
from scipy.special import expit, softmax

from fusible.types import Predictions, Task

TASKS = {
    "binary": Task("binary", ("no", "yes")),
    "multiclass": Task("multiclass", tuple("abcde")),
    "multilabel": Task("multilabel", tuple("xyz")),
    "regression": Task("regression"),
}


def evidence(target, task, strength, random):
    """Noisy evidence of one expert; none at strength zero."""
    if task.kind == "regression":
        return target + random.normal(0, 1 / max(strength, 0.1), len(target))
    if task.kind == "multilabel":
        return 2 * strength**2 * (2 * target - 1) + 2 * strength * random.normal(size=target.shape)
    told = random.normal(0, 1, (len(target), task.outputs)) * strength
    told[np.arange(len(target)), target] += strength**2
    return told


def posterior(told, task):
    """Scores (rows, outputs) from evidence."""
    if task.kind == "regression":
        return told[:, None]
    return expit(told) if task.kind == "multilabel" else softmax(told, axis=1)


def targets(task, rows, random):
    """Balanced targets."""
    if task.kind == "regression":
        return random.normal(0, 1, rows)
    if task.kind == "multilabel":
        return random.integers(0, 2, (rows, task.outputs))
    return random.integers(0, task.outputs, rows)


def planted(kind, strengths, rows, seed=0, sure=0.0):
    """Target and members of given strengths, all present; `sure`: how sure of itself a member of strength 0 is."""
    task, random = TASKS[kind], np.random.default_rng(seed)
    target = targets(task, rows, random)
    told = [evidence(target, task, s, random) for s in strengths]
    if sure:
        told = [
            random.normal(0, sure, t.shape) if not s and kind != "regression" else t
            for s, t in zip(strengths, told, strict=True)
        ]
    scores = np.stack([posterior(t, task) for t in told])
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: len(strengths)])
    return target, Predictions(names, scores, np.ones((rows, len(strengths)), bool))


def only(predictions, members):
    """The same rows with none but some members present."""
    presence = np.zeros_like(predictions.presence)
    presence[:, list(members)] = True
    return Predictions(predictions.names, predictions.scores, presence & predictions.presence)


def part(predictions, rows):
    """Some rows."""
    return Predictions(predictions.names, predictions.scores[:, rows], predictions.presence[rows])


def merit(scores, target, task):
    """Share of right decisions, or R2."""
    if task.kind == "regression":
        return 1 - ((scores[:, 0] - target) ** 2).mean() / target.var()
    if task.kind == "multilabel":
        return ((scores >= 0.5) == target).mean()
    return (scores.argmax(axis=1) == target).mean()


def loss(scores, target, task):
    """Log-loss, or mean squared error."""
    if task.kind == "regression":
        return ((scores[:, 0] - target) ** 2).mean()
    if task.kind == "multilabel":
        return -np.log(np.where(target == 1, scores, 1 - scores)).mean()
    return -np.log(scores[np.arange(len(target)), target]).mean()
