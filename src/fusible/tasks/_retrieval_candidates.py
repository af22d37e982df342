"""Candidates of a retriever: parts of heads fitted on training rows, compared on validation rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.alignment._projections import Affine, KernelProjection, build_projection
from fusible.errors import ConfigError, FusibleError
from fusible.tasks._retrieval_head import Head, Part, units
from fusible.tasks._retrieval_pairs import Direction, Rows, goodness
from fusible.tasks.aligned import MOST_SEARCHED, PER_STEP, build_aligner, check_aligner, fit_quietly, room, searcher

RIDGES = (0.03, 0.3, 1.0, 3.0, 10.0)
KERNEL_RIDGES = (0.003, 0.03)
STEP_RIDGES = (0.01, 0.1)
SIZES = (8, 16, 32, 64, 128, 256)
POWERS = (0, 1, 2)
"""Powers of the components' correlations that weigh them: those that hold little of what is shared count less."""
LANDMARKS = 1_000
WIDTH = 256
"""Components of heads that are trained by epochs."""
MOST_TOGETHER = 4
"""Parts of a head that are put together, at most."""
LEAST_ROWS = 100
"""Rows with two views below which nothing is trained by epochs."""


@dataclass(slots=True)
class Candidate:
    """Heads of every view, what they are, and how good they are on validation rows; `vectors` are of those rows."""

    name: str
    heads: dict[str, Head]
    settings: dict[str, Any] = field(default_factory=dict)
    valid: float = float("-inf")
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """What candidates are fitted on and judged by: training rows, validation rows and what is asked there."""

    train: Rows
    valid: Rows
    ways: list[Direction]
    steps: int = 1
    seed: int = 0
    device: str = "cpu"

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return list(self.train.vectors)

    def judge(self, candidate: Candidate) -> Candidate:
        """Fill in its vectors of validation rows, and how good it is."""
        candidate.vectors = {view: units(head, self.valid.vectors[view]) for view, head in candidate.heads.items()}
        candidate.valid = goodness(self.ways, candidate.vectors, classes=self.valid.classes is not None)
        return candidate

    def candidate(self, name: str, parts: Mapping[str, Part], **settings: Any) -> Candidate:
        """Judge heads of one part each."""
        return self.judge(Candidate(name, {view: Head([part]).eval() for view, part in parts.items()}, settings))


def default_methods(views: int, rows: int, steps: int) -> tuple[str, ...]:
    """Aligners that are tried where none are named, for so many views, training rows, and steps of their vectors."""
    linear = ("cca", "kernel_cca") if views == 2 else ("mcca", "gcca")
    deep = ("contrastive",) if rows >= LEAST_ROWS else ()
    return (*linear, *(("sequence_cca",) if steps > 1 else ()), *deep)


def of_method(trial: Trial, method: str) -> Candidate:
    """The best candidate of an aligner on validation rows; raises what the aligner raises where none can be fitted."""
    check_aligner(method, len(trial.views))
    best, error = None, None
    for candidate in _candidates(trial, method):
        if isinstance(candidate, FusibleError):
            error = candidate
        elif best is None or candidate.valid > best.valid:
            best = candidate
    if best is None:
        raise error or ConfigError(f"aligner {method!r}: nothing could be fitted on these rows")
    return best


def _candidates(trial: Trial, method: str) -> Iterator[Candidate | FusibleError]:
    if searcher(method) is not None:
        yield from _linear(trial, method)
        return
    for options in _options(method, len(trial.train.blocks)):
        try:
            aligner = _built(trial, method, options)
            notes = fit_quietly(aligner, trial.train.vectors)
        except FusibleError as error:
            yield error
            continue
        for candidate in _cut(trial, method, aligner, options):
            candidate.notes = notes
            yield candidate


def _linear(trial: Trial, method: str) -> Iterator[Candidate | FusibleError]:
    """Ridges common to all views, then of one view apart from the best of these."""
    best: tuple[float, float] | None = None
    wide = sum(array.shape[1] for array in trial.train.vectors.values()) > MOST_SEARCHED
    for ridge in RIDGES[1::2] if wide else RIDGES:
        for candidate in _with_ridge(trial, method, ridge):
            if isinstance(candidate, Candidate) and (best is None or candidate.valid > best[0]):
                best = (candidate.valid, ridge)
            yield candidate
    if best is None or wide:
        return
    for place, factor in product(range(len(trial.views)), (1 / 3, 3.0)):
        yield from _with_ridge(
            trial, method, [best[1] * (factor if i == place else 1.0) for i in range(len(trial.views))]
        )


def _with_ridge(trial: Trial, method: str, ridge: float | list[float]) -> Iterator[Candidate | FusibleError]:
    try:
        aligner = _built(trial, method, {"ridge": ridge})
        notes = fit_quietly(aligner, trial.train.vectors)
    except FusibleError as error:
        yield error
        return
    for candidate in _cut(trial, method, aligner, {"ridge": ridge}):
        candidate.notes = notes
        yield candidate


def _options(method: str, rows: int) -> list[dict[str, Any]]:
    """What is tried of an aligner that has no search of its own."""
    known = inspect.signature(registry.get("alignment", method).__init__).parameters
    if "steps" in known:
        return [{"ridge": ridge, "reach": reach} for ridge in STEP_RIDGES for reach in (2, 4)]
    if "kernel" in known:
        few = {"landmarks": min(LANDMARKS, rows // 2)} if rows > LANDMARKS else {}
        return [{"ridge": ridge, **few} for ridge in KERNEL_RIDGES]
    if "space" in known:
        plain = {"space": "cosine", "input_dropout": 0.5, "epochs": 20, "learning_rate": 1e-3, "weight_decay": 0.1}
        plain |= {"validation": 0.0, "batch": int(np.clip(rows // 8, 32, 256))}
        wide = {"hidden": [512], "dropout": 0.5, "scale": "view"}
        return [{**plain, "hidden": []}, {**plain, "hidden": [], "hardness": 2.0}, {**plain, **wide}]
    return [{"hidden": [512, 512], "validation": 0.0, "input_dropout": 0.3}] if "hidden" in known else [{}]


def _built(trial: Trial, method: str, options: Mapping[str, Any]) -> Any:
    vectors = trial.train.vectors
    aligner = build_aligner(method, 1, len(trial.train.blocks), trial.seed, trial.device, steps=trial.steps)
    known = aligner.get_params(deep=False)
    most = min(array.shape[1] for array in vectors.values())
    both = int((trial.train.presence.sum(axis=1) >= 2).sum())
    size: int | None = None
    if "hidden" in known:
        size = WIDTH if known.get("space") else min(64, most, max(1, both // 4))
    elif "kernel" in known:
        size = min(128, max(1, both // 4))
    elif "steps" in known:
        size = PER_STEP
    elif sum(array.shape[1] for array in vectors.values()) > MOST_SEARCHED:
        size = room(vectors)
    settings = {"components": size, **{k: v for k, v in options.items() if k in known}}
    return aligner.set_params(**settings)


def _cut(trial: Trial, method: str, aligner: Any, options: Mapping[str, Any]) -> Iterator[Candidate]:
    """Leading components, weighed by powers of their correlations, of aligners whose components are ordered."""
    shown = {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}
    projections = {view: aligner.projection(view) for view in trial.views}
    most = int(aligner.n_components_)
    if options.get("space") == "cosine":
        parts = {view: Part(p, int(p.spec["outputs"])) for view, p in projections.items()}
        yield trial.candidate(method, parts, **shown, components=most)
        return
    weights = np.clip(np.nan_to_num(aligner.correlations_), 1e-3, None)
    ordered = all(isinstance(p, Affine | KernelProjection) for p in projections.values())
    sizes = sorted({min(size, most) for size in SIZES}) if ordered else [len(weights)]
    for size, power in product(sizes, POWERS):
        parts = {}
        for view, projection in projections.items():
            parts[view] = Part(leading(projection, size) if ordered else projection, size)
            parts[view].scale.copy_(torch.from_numpy(weights[:size] ** power))
        yield trial.candidate(method, parts, **shown, components=size, power=power)


def leading(projection: Any, count: int) -> nn.Module:
    """The first `count` outputs of an affine or kernel projection."""
    made: Any = build_projection({**projection.spec, "outputs": count})
    state = projection.state_dict()
    for name in ("weight", "offset"):
        if name in state:
            state[name] = state[name][..., :count].contiguous()
    made.load_state_dict(state)
    return made.eval().requires_grad_(False)  # type: ignore[no-any-return]


def together(trial: Trial, candidates: Sequence[Candidate]) -> Candidate:
    """Candidates put side by side with even weights, greedily, as long as it helps on validation rows."""
    best = max(candidates, key=lambda one: one.valid)
    chosen = [best]
    while len(chosen) < MOST_TOGETHER:
        rest = [one for one in candidates if not any(one is other for other in chosen)]
        tried = [side_by_side(trial, [*chosen, one]) for one in rest]
        if not tried or (found := max(tried, key=lambda one: one.valid)).valid <= best.valid:
            return best
        chosen.append(rest[tried.index(found)])
        best = found
    return best


def side_by_side(trial: Trial, members: Sequence[Candidate]) -> Candidate:
    """One candidate of several: the similarity is the mean of theirs."""
    heads = {}
    for view in trial.views:
        shares = [(part, float(w) / len(members)) for m in members for part, w in m.heads[view].weighed()]
        heads[view] = Head([part for part, _ in shares], [weight for _, weight in shares]).eval()
    settings = {member.name: member.settings for member in members}
    notes = [note for member in members for note in member.notes]
    return trial.judge(Candidate(" + ".join(m.name for m in members), heads, settings, notes=notes))
