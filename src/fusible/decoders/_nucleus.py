"""Drawing tokens from the nucleus of a distribution (Holtzman et al., ICLR 2020)."""

from __future__ import annotations

import numpy as np


def nucleus(logits: np.ndarray, uniform: float, top_p: float, temperature: float = 1.0) -> int:
    """Draw a token from logits (vocabulary,) by a number from 0 to below 1.

    The nucleus is the smallest set of most probable tokens whose probability is at least `top_p`; of equally probable
    ones those of smaller id come first. Tokens of logit minus infinity are never drawn.

    >>> nucleus(np.array([0.0, 3.0, 2.9]), 0.99, top_p=0.5)
    1
    """
    weight = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    # Only values are sorted, and the token is looked up by its value: sorting indices along costs ten times as much.
    ranked = np.sort(weight)[::-1]
    mass = np.cumsum(ranked)
    last = min(np.searchsorted(mass, top_p * mass[-1]), np.count_nonzero(weight) - 1)
    place = min(np.searchsorted(mass, uniform * mass[last], side="right"), last)
    value = ranked[place]
    return int(np.flatnonzero(weight == value)[place - np.count_nonzero(ranked > value)])
