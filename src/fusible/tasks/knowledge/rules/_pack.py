"""Rules as plain arrays, and back, with what they must be checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fusible.errors import ModelFormatError
from fusible.tasks.knowledge.rules._paths import LONGEST
from fusible.tasks.knowledge.rules.mined import Rule, Rules

FIGURES = ("support", "pairs", "confidence", "pca", "coverage")
ARRAYS = {"bodies": (np.int64, LONGEST), "heads": (np.int64, 1), "names": (np.int64, 2), "figures": (np.float64, 5)}


def packed(rules: Rules) -> dict[str, np.ndarray]:
    """Arrays by name: bodies filled with -1, heads, entities that are named or -1, figures, and triples."""
    own = rules.rules
    bodies = np.full((len(own), LONGEST), -1, np.int64)
    for place, rule in enumerate(own):
        bodies[place, : len(rule.body)] = rule.body
    return {
        "bodies": bodies,
        "heads": np.array([[rule.head] for rule in own], np.int64).reshape(-1, 1),
        "names": np.array([rule.names or (-1, -1) for rule in own], np.int64).reshape(-1, 2),
        "figures": np.array([[getattr(rule, name) for name in FIGURES] for rule in own], float).reshape(-1, 5),
        "sampled": np.array([rule.sampled for rule in own], bool),
        "triples": rules.triples.astype(np.int64),
    }


def unpacked(arrays: Mapping[str, np.ndarray], entities: tuple[str, ...], relations: tuple[str, ...]) -> Rules:
    """Rules of arrays as `packed` gives them; `ModelFormatError` for what cannot be such."""
    if set(arrays) != {*ARRAYS, "sampled", "triples"}:
        raise ModelFormatError(f"weights.safetensors: rules: expected {', '.join(ARRAYS)}, got {', '.join(arrays)}")
    count, steps = len(arrays["sampled"]), 2 * len(relations)
    for name, (kind, width) in ARRAYS.items():
        if arrays[name].shape != (count, width) or arrays[name].dtype != kind:
            raise ModelFormatError(f"weights.safetensors: rules.{name}: expected {count} rows of {width}")
    bodies, heads, names, figures = (arrays[name] for name in ARRAYS)
    filled = bodies >= 0
    named = names[:, 0] >= 0
    good = (
        (bodies >= -1) & (bodies < steps),
        (heads >= 0) & (heads < steps),
        (names >= -1) & (names < len(entities)),
        filled[:, 0],
        filled[:, :-1] >= filled[:, 1:],
        (names >= 0).all(axis=1) == named,
        filled[named].sum(axis=1) == 1,
        np.isfinite(figures) & (figures >= 0),
        figures[:, 0] <= figures[:, 1],
    )
    if not all(bool(part.all()) for part in good):
        raise ModelFormatError("weights.safetensors: rules: a rule of steps or entities that are not there")
    rules = []
    for place in range(count):
        support, pairs, confidence, pca, coverage = figures[place].tolist()
        body, head = tuple(bodies[place][filled[place]].tolist()), int(heads[place, 0])
        own = (int(names[place, 0]), int(names[place, 1])) if named[place] else None
        sampled = bool(arrays["sampled"][place])
        rules.append(Rule(body, head, int(support), int(pairs), confidence, pca, coverage, own, sampled))
    return Rules(rules, entities, relations, arrays["triples"])
