"""Segments of a film by what it holds: kernel temporal segmentation of encodings on a grid.

Potapov, Douze, Harchaoui and Schmid, 2014, "Category-specific video summarization": the bounds that leave the least
scatter within segments, in the space of a kernel, found by dynamic programming; their number by a penalty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fusible.errors import ArrayError, ConfigError

STEPS = 2048
"""Longer films are segmented on a coarser grid: equal runs of steps are averaged, so that at most so many are left."""
MOST = 512
"""Most segments that are tried where no number is given."""
COARSE = 256
"""Above so many steps a coarser grid is solved first, to bound the number of segments."""
BLOCK = 256


def kernel_segments(
    encodings: np.ndarray,
    *,
    count: int | None = None,
    most: int | None = None,
    shortest: int = 1,
    longest: int | None = None,
    penalty: float = 1.0,
) -> np.ndarray:
    """Bounds (segments + 1,) of segments of encodings (steps, width): steps, from 0 to their number, rising.

    Without `count`, the number m of changes is the one, below `most` segments (a quarter of the steps, at most
    `MOST`), with the least scatter + `penalty` · v · m · (log(steps / m) + 1), v being the scatter per step of the
    whole: so scaling the encodings changes nothing, and noise alone is one segment. `shortest` and `longest` bound a
    segment's steps; a film of fewer is one segment. The kernel is the product of encodings: scale these to one length
    for the cosine. The bounds are the best there are. Memory grows with steps × segments, time with that times
    `longest`; above `STEPS` steps equal runs of them are averaged, and the bounds are the best of those between runs.
    Raises `ArrayError` for encodings that are empty or not finite, `ConfigError` for settings out of range or that no
    segmentation meets.

    >>> kernel_segments(np.repeat([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], 10, axis=0)).tolist()
    [0, 10, 20, 30]
    """
    encodings = np.asarray(encodings, np.float64)
    if encodings.ndim != 2 or not encodings.size or not np.isfinite(encodings).all():
        raise ArrayError(f"segments: expected finite encodings (steps, width), got {encodings.shape}, or not finite")
    steps = len(encodings)
    _check_settings(count, most, shortest, longest, penalty)
    if steps <= shortest and count in {None, 1}:
        return np.array([0, steps])
    grid = _Grid.of(encodings, math.ceil(steps / STEPS), shortest, longest)
    whole = float(((encodings - encodings.mean(axis=0)) ** 2).sum())
    if count is None and whole <= 1e-12 * float((encodings**2).sum()):
        count = grid.fewest
    limit = count or most or max(min(math.ceil(steps / 4), MOST), grid.fewest)
    if count is None and len(grid.starts) > COARSE:
        coarse = _Grid.of(encodings, 4 * grid.run, shortest, longest)
        limit = min(limit, _enough(grid, coarse, limit, penalty * whole))
    scatter, back = grid.best(limit)
    number = count or _number(scatter, steps, penalty * whole)
    if number >= len(scatter) or not np.isfinite(scatter[number]):
        raise ConfigError(
            f"segments: {steps} steps cannot be cut in {count or f'up to {limit}'} segments of {shortest} to "
            f"{longest or steps} steps; change the number or the lengths"
        )
    return np.asarray(np.append(grid.starts, steps)[_trace(back, number)])


def seconds(bounds: np.ndarray, times: np.ndarray, end: float) -> np.ndarray:
    """Spans (segments, 2) in seconds of bounds in steps: step i lasts from its time to the next; the last to `end`.

    The first span begins at 0. `times` (steps,) are in rising order and below `end`.

    >>> seconds(np.array([0, 2, 3]), np.array([0.0, 0.5, 1.0]), 1.4).tolist()
    [[0.0, 1.0], [1.0, 1.4]]
    """
    edges = np.append(np.asarray(times, float), end)
    if (np.diff(edges) <= 0).any() or bounds[-1] != len(times):
        raise ArrayError(f"segments: expected {bounds[-1]} rising times below the end {end:g}, got {len(times)}")
    edges[0] = min(edges[0], 0.0)
    return np.stack([edges[bounds[:-1]], edges[bounds[1:]]], axis=1)


def cut_at(spans: np.ndarray, changes: np.ndarray, shortest: float = 0.0) -> np.ndarray:
    """Shots, spans (spans, 2) in seconds, cut further at the times of changes; no piece is shorter than `shortest`.

    A change nearer than `shortest` to a bound of its span, or to the change before, does not cut.

    >>> cut_at(np.array([[0.0, 4.0], [4.0, 9.0]]), np.array([3.9, 6.0]), 0.5).tolist()
    [[0.0, 4.0], [4.0, 6.0], [6.0, 9.0]]
    """
    pieces = []
    for start, end in np.asarray(spans, float).tolist():
        begun = start
        for change in np.sort(changes).tolist():
            if begun < change < end and change - begun >= shortest and end - change >= shortest:
                pieces.append((begun, change))
                begun = change
        pieces.append((begun, end))
    return np.array(pieces).reshape(-1, 2)


def _check_settings(count: int | None, most: int | None, shortest: int, longest: int | None, penalty: float) -> None:
    for name, value in (("count", count), ("most", most), ("shortest", shortest), ("longest", longest)):
        if value is not None and value < 1:
            raise ConfigError(f"segments: {name} must be at least 1, got {value}")
    if longest is not None and longest < shortest:
        raise ConfigError(f"segments: longest must be at least shortest ({shortest}), got {longest}")
    if not penalty >= 0:
        raise ConfigError(f"segments: penalty must be at least 0, got {penalty}")


@dataclass(frozen=True, slots=True)
class _Grid:
    """Runs of steps: where each starts, its centred mean, how many steps it has; bounds of a segment, in runs."""

    run: int
    starts: np.ndarray
    means: np.ndarray
    weights: np.ndarray
    shortest: int
    longest: int

    @classmethod
    def of(cls, encodings: np.ndarray, run: int, shortest: int, longest: int | None) -> _Grid:
        starts = np.arange(0, len(encodings), run)
        weights = np.diff(starts, append=len(encodings)).astype(float)
        means = np.add.reduceat(encodings - encodings.mean(axis=0), starts, axis=0) / weights[:, None]
        low = math.ceil(shortest / run)
        return cls(run, starts, means, weights, low, len(starts) if longest is None else max(low, longest // run))

    @property
    def fewest(self) -> int:
        return math.ceil(len(self.starts) / self.longest)

    def best(self, limit: int) -> tuple[np.ndarray, np.ndarray]:
        limit = min(limit, len(self.starts))
        costs = _costs(self.means, self.weights, self.longest)
        return _best(costs, len(self.starts), limit, self.shortest, self.longest)


def _enough(grid: _Grid, coarse: _Grid, limit: int, penalty: float) -> int:
    """Give a number of segments above which the penalty alone is more than a solution on a coarser grid costs."""
    steps = int(grid.weights.sum())
    scatter, back = coarse.best(limit)
    number = _number(scatter, steps, penalty)
    if not np.isfinite(scatter[number]):
        return limit
    starts = coarse.starts[_trace(back, number)[:-1]] // grid.run
    mass = np.add.reduceat(grid.weights, starts)
    sums = np.add.reduceat(grid.weights[:, None] * grid.means, starts, axis=0)
    left = (grid.weights[:, None] * grid.means**2).sum() - (sums**2 / mass[:, None]).sum()
    charges = _charges(limit, steps, penalty)
    over = np.flatnonzero(charges > left + charges[number - 1])
    return int(over[0]) + 1 if len(over) else limit


def _costs(steps: np.ndarray, weights: np.ndarray, longest: int) -> Iterator[np.ndarray]:
    """For each end j = 1 … n the scatter of segments [i, j), for the last `longest` starts i; `steps` are centred."""
    mass, inside = (np.append(0.0, np.cumsum(c)) for c in (weights, weights * (steps**2).sum(axis=1)))
    sums = np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(weights[:, None] * steps, axis=0)])
    squares = (sums**2).sum(axis=1)
    for first in range(1, len(sums), BLOCK):
        last, low = min(first + BLOCK, len(sums)), max(0, first - longest)
        products = sums[first:last] @ sums[low : last - 1].T
        for j in range(first, last):
            i = np.arange(max(0, j - longest), j)
            between = (squares[j] + squares[i] - 2 * products[j - first, i - low]) / (mass[j] - mass[i])
            yield np.maximum(inside[j] - inside[i] - between, 0.0)


def _best(
    costs: Iterator[np.ndarray], steps: int, limit: int, shortest: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Least scatter of all steps in 0 … limit segments, and where the last of so many up to each step begins."""
    table = np.full((limit + 1, steps + 1), np.inf)
    back = np.zeros((limit + 1, steps + 1), np.int32)
    table[0, 0] = 0.0
    for j, cost in enumerate(costs, start=1):
        start, stop, rows = max(0, j - longest), j - shortest + 1, min(limit, j)
        if stop > start:
            tried = table[:rows, start:stop] + cost[: stop - start]
            best = tried.argmin(axis=1)
            table[1 : rows + 1, j] = tried[np.arange(rows), best]
            back[1 : rows + 1, j] = start + best
    return table[:, steps], back


def _number(scatter: np.ndarray, steps: int, penalty: float) -> int:
    """Give the number of segments of the least penalised scatter, the fewest of equally good ones."""
    return int(np.argmin(scatter[1:] + _charges(len(scatter) - 1, steps, penalty))) + 1


def _charges(most: int, steps: int, penalty: float) -> np.ndarray:
    """What 1 … most segments are charged: it rises with their number."""
    changes = np.arange(1.0, most)
    return penalty / steps * np.append(0.0, changes * (np.log(steps / changes) + 1))


def _trace(back: np.ndarray, number: int) -> np.ndarray:
    bounds = [back.shape[1] - 1]
    for segments in range(number, 0, -1):
        bounds.append(int(back[segments, bounds[-1]]))
    return np.array(bounds[::-1])
