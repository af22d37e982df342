"""Weighted mean whose weights are optimised on out-of-fold rows.

The weights lie on the simplex and minimise log-loss (of a label: mean over labels) or squared error, renormalised over
present members: the linear opinion pool (Stone, "The opinion pool", 1961; van der Laan et al., "Super learner", 2007).
A Dirichlet prior of one row around equal weights settles ties; each set of views starts from the common weights with
the worth of ten rows. Each set of present views has its own weights, see `_mixture`.
"""

from __future__ import annotations

import numpy as np

from fusible.ensembles import _gating
from fusible.ensembles._mixture import Mixture

MOST_CELLS = 4_000_000
ONE, TEN = 1.0, 10.0


class Weighted(Mixture):
    """Weights on the simplex that minimise the loss out of fold."""

    def weigh(
        self, scores: np.ndarray, presence: np.ndarray, target: np.ndarray, centre: np.ndarray | None
    ) -> np.ndarray:
        """Optimal weights (members,) for rows of scores (members, rows, outputs)."""
        members = len(scores)
        equal = np.full(members, 1.0 / members)
        if centre is not None and centre.sum() > 0:
            equal = 0.9 * centre / centre.sum() + 0.1 * equal
        data = _gating.given(scores, presence, target, self.task_)
        most = max(1000, MOST_CELLS // (members * data.told.shape[2]))
        if len(target) > most:
            data = data.take(np.sort(np.random.default_rng(0).permutation(len(target))[:most]))
        return _gating.fixed(data, equal, ONE if centre is None else TEN)
