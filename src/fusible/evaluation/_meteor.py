"""METEOR (Denkowski & Lavie, 2014) through pycocoevalcap, which runs the authors' Java program."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from fusible.errors import MissingExtraError


def meteor_is_here() -> bool:
    """Whether both pycocoevalcap and Java are there."""
    return find_spec("pycocoevalcap") is not None and shutil.which("java") is not None


def meteor(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, np.ndarray]:
    """METEOR of the corpus and of each item, from captions whose tokens are joined by blanks.

    Raises `MissingExtraError` where pycocoevalcap or Java is absent.
    """
    if find_spec("pycocoevalcap") is None:
        raise MissingExtraError.of("pycocoevalcap", "captions", "METEOR")
    if shutil.which("java") is None:
        raise MissingExtraError("METEOR needs the program 'java', which is not on the path: install a Java runtime")
    from pycocoevalcap.meteor.meteor import Meteor

    program = Meteor()
    try:
        corpus, items = program.compute_score(
            {number: list(captions) for number, captions in enumerate(references)},
            {number: [caption] for number, caption in enumerate(candidates)},
        )
    finally:
        for pipe in (program.meteor_p.stdout, program.meteor_p.stderr):
            pipe.close()
    return float(corpus), np.array(items, dtype=float)
