"""Calibration of similarities: what a similarity of two views says about whether the two belong together.

A similarity counts in units of strangers: 0 is the median of pairs that do not belong together, 1 what one of a hundred
of them exceeds. The chance is a logistic function of it, at a stated prior; so it is monotone in the similarity, and a
picture and a text with the same chance are as likely to be what was asked for. Of a collection that is searched the
prior follows from its size: among more rows the same similarity is more often a stranger's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from fusible.errors import ModelFormatError, SchemaError
from fusible.index.items import FUSED

PRIOR = 0.01
"""Chance that a pair belongs together before anything is known of it: one of a hundred that could be found."""
TAIL = 0.99
FLATTEST = 1e-3
"""Least slope: a pair of views that tells nothing still ranks by similarity."""
MOST_PAIRS = 200_000
HIGHEST = 0.9
"""Greatest prior."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Chance = logistic(`slope` x tail + `offset`), where tail = (similarity - `median`) / (`tail` - `median`).

    `median` and `tail` are the 50 % and 99 % quantiles of strangers' similarities. `matches` says how many pairs that
    belong together it was fitted on; 0 where all but the quantiles is `borrowed` from other pairs of views.

    `each` is how many rows belong to one that asks, 0 where their share is the same in any collection (classes);
    `first` is added to log-odds in a collection: the first of a list is more often right than such a pair by itself.
    """

    median: float
    tail: float
    slope: float
    offset: float
    matches: int = 0
    each: float = 0.0
    first: float = 0.0

    @property
    def borrowed(self) -> bool:
        """Whether slope and offset are those of other pairs of views."""
        return not self.matches

    def among(self, rows: int, prior: float) -> Curve:
        """The curve in a collection of so many rows of the view, where this one is at a stated prior."""
        if not self.each:
            return self
        share = min(self.each / max(1, rows), HIGHEST)
        return replace(self, offset=self.offset + logit(share) - logit(prior) + self.first)

    def units(self, similarity: np.ndarray) -> np.ndarray:
        """Similarities in units of strangers."""
        return np.asarray((np.asarray(similarity, np.float64) - self.median) / max(self.tail - self.median, 1e-6))

    def chance(self, similarity: np.ndarray) -> np.ndarray:
        """Chance in [0, 1] that a pair of this similarity belongs together; NaN for NaN."""
        return _logistic(self.slope * self.units(similarity) + self.offset)


@dataclass(slots=True)
class Calibration:
    """A curve per pair (asked, found) of views, `fused` among them; `prior` is the one that curves were fitted at."""

    curves: dict[tuple[str, str], Curve] = field(default_factory=dict)
    prior: float = PRIOR
    width: int = 1

    def chance(self, asked: str, found: str, similarity: np.ndarray, rows: int | None = None) -> np.ndarray:
        """Chance that pairs of these similarities belong together: at the prior, or among `rows` that are searched."""
        curve = self.curve(asked, found)
        return (curve if rows is None else curve.among(rows, self.prior)).chance(similarity)

    def curve(self, asked: str, found: str) -> Curve:
        """The curve of a pair; of one that was never calibrated, that of random directions of `width` dimensions.

        Its 99 % quantile is 2.33 / sqrt(width), and a similarity that one of a hundred strangers has is as likely a
        match as not.
        """
        if (asked, found) in self.curves:
            return self.curves[asked, found]
        rise = -logit(self.prior)
        return Curve(0.0, 2.3263 / math.sqrt(max(1, self.width)), rise, -rise)

    def to_config(self) -> dict[str, Any]:
        """Plain values."""
        curves = [{"asked": a, "found": f, **asdict(curve)} for (a, f), curve in self.curves.items()]
        return {"prior": self.prior, "curves": curves}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], names: tuple[str, ...], width: int) -> Calibration:
        """Take back what `to_config` gave; `ModelFormatError` where that is something else."""
        prior, curves = config["prior"], {}
        for plain in config["curves"]:
            asked, found = plain["asked"], plain["found"]
            values = [plain[name] for name in ("median", "tail", "slope", "offset")]
            values += [plain.get(name, 0.0) for name in ("each", "first")]
            whole = all(isinstance(v, int | float) and math.isfinite(v) for v in values)
            if asked not in names or found not in names or not whole or plain["slope"] <= 0 or values[4] < 0:
                raise ModelFormatError(f"config.yaml: calibration of {asked!r} -> {found!r}: expected finite numbers")
            median, tail, slope, offset, each, first = map(float, values)
            curves[asked, found] = Curve(median, tail, slope, offset, int(plain["matches"]), each, first)
        if not isinstance(prior, float) or not 0 < prior < 1:
            raise ModelFormatError(f"config.yaml: calibration: expected a prior between 0 and 1, got {prior!r}")
        return cls(curves, prior, width)


def check_names(names: tuple[str, ...], *given: str) -> None:
    """Raise `SchemaError` for a name that is neither a view nor `fused`."""
    for name in given:
        if name not in (*names, FUSED):
            raise SchemaError(f"view {name!r}: the retriever knows {', '.join(map(repr, (*names, FUSED)))}")


def logit(chance: float) -> float:
    """Log-odds.

    >>> logit(0.5)
    0.0
    """
    return math.log(chance / (1 - chance))


def _logistic(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -700, 700))))
