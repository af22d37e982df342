"""Summaries: what agreement with people is worth, on TVSum, and whether the knapsack is exact.

TVSum's file holds the scores of 20 people for each of 50 videos and no video, so that no method that looks at films
can be judged here: the rows are those which any score on TVSum must be read beside. People: each against the 19
others, averaged. Random: uniform scores per frame, averaged over draws. Uniform: evenly spaced segments. F-scores
follow the knapsack protocol, 15 % of the frames, segments worth their mean score, the mean over people. The published
segments are made from the videos; here they are 2 s long, or of two lengths drawn at random (Poisson with means 1 and
3 s) as in Otani et al. (CVPR 2019), whose τ .177 and ρ .204 for people these must be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from _harness import Benchmark, arguments
from _tvsum import Film, films

from fusible.evaluation.summaries import Agreement, Judges, average, f_scores
from fusible.tasks.video.knapsack import knapsack
from fusible.tasks.video.summary import choose_frames, evenly

RATIO, DRAWS, CASES, ITEMS = 0.15, 10, 20_000, 12
TAU, RHO, WITHIN = 0.177, 0.204, 0.0005


def main() -> None:
    """Rows of people, chance and even spacing per kind of segments; the knapsack against all subsets."""
    benchmark = Benchmark("summaries", arguments(__doc__))
    quick = benchmark.arguments.quick
    every = films()[:: 10 if quick else 1]
    people = {}
    for seed in benchmark.arguments.seeds:
        for kind in ("2 s", "two lengths"):
            rows = table(every, kind, draws=1 if quick else DRAWS, seed=seed)
            for name, row in rows.items():
                cells = {key: None if np.isnan(value) else value for key, value in asdict(row).items()}
                benchmark.row(segments=kind, seed=seed, row=name, **cells)
            people[kind] = rows["people"]
    wrong, worst, seconds = differences(500 if quick else CASES, benchmark.arguments.seeds[0])
    benchmark.row(segments="random cases", row="knapsack against all subsets", cases=worst, seconds=seconds)
    human = people["2 s"]
    benchmark.claim("people's Kendall τ, away from the published .177", abs(human.kendall - TAU), at_most=WITHIN)
    benchmark.claim("people's Spearman ρ, away from the published .204", abs(human.spearman - RHO), at_most=WITHIN)
    benchmark.claim(f"cases of {worst} in which the knapsack is not the best of all subsets", wrong, at_most=0)
    benchmark.finish()


def table(every: list[Film], kind: str, *, draws: int, seed: int) -> dict[str, Agreement]:
    """Mean agreement over videos of people, random scores and evenly spaced segments."""
    random = np.random.default_rng(seed)
    found: dict[str, list[Agreement]] = {"people": [], "random": [], "uniform": []}
    for film in every:
        bounds = segments(film, kind, random)
        choose = chooser(bounds)
        judges = Judges.of(film.scores, choose)
        found["people"].append(judges.human())
        found["random"].append(judges.chance(choose, draws=draws, seed=seed))
        even = np.zeros(len(bounds) - 1, bool)
        even[evenly(np.diff(bounds), int(bounds[-1] * RATIO))] = True
        f = f_scores(np.repeat(even, np.diff(bounds)), judges.summaries).mean()
        found["uniform"].append(Agreement(float(f), np.nan, np.nan))
    return {name: average(rows) for name, rows in found.items()}


def chooser(bounds: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Make summaries by these segments."""
    return lambda scores: choose_frames(scores, bounds, ratio=RATIO)


def segments(film: Film, kind: str, random: np.random.Generator) -> np.ndarray:
    """Bounds of segments in frames, from 0 to their number."""
    frames = film.scores.shape[1]
    second = frames / film.seconds
    if kind == "2 s":
        inner = np.arange(2 * second, frames - 1, 2 * second).astype(int)
    else:
        means = random.choice([second, 3 * second], size=int(film.seconds) + 10)
        inner = np.cumsum(np.maximum(random.poisson(means), 1))
    return np.concatenate([[0], inner[inner < frames], [frames]])


def differences(cases: int, seed: int) -> tuple[int, int, float]:
    """Random cases in which the knapsack's value is not the greatest of all subsets that fit; cases; its seconds."""
    random = np.random.default_rng(seed)
    subsets = (np.arange(1 << ITEMS)[:, None] >> np.arange(ITEMS)) & 1
    wrong, seconds = 0, 0.0
    for _ in range(cases):
        number = int(random.integers(0, ITEMS + 1))
        values = random.integers(-5, 100, number).astype(float) / 8  # sums of these are exact
        lengths = random.integers(0, 30, number)
        capacity = int(random.integers(0, 1 + lengths.sum())) if number else 3
        begun = time.perf_counter()
        chosen = knapsack(values, lengths, capacity)
        seconds += time.perf_counter() - begun
        tried = subsets[: 1 << number, :number]
        best = (tried @ values)[tried @ lengths <= capacity].max()
        wrong += int(values[chosen].sum() != best or lengths[chosen].sum() > capacity)
    return wrong, cases, seconds


if __name__ == "__main__":
    main()
