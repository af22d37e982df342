"""Fits the weights of shot detection on training edits; prints `fusible/tasks/video/_weights.py`.

Two logistic regressions. For cuts, every frame of 200 edits is a case. For gradual transitions, every run of frames
is: right where both its ends are those of a dissolve, or of one half of a fade, to a frame; wrong where it meets none,
or meets one with both ends off by over four frames together; others are left out. Thresholds are those of best F1 at
two frames on 80 edits more; log odds are counted from them. None of these edits, and none of their clips, is a test's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from _edits import Clip, make, training_clips, write
from _harness import data_folder
from sklearn.linear_model import LogisticRegression

from fusible.data.film import FilmReader, Frame
from fusible.evaluation.cuts import CutScore, Transition, score_cuts, total
from fusible.tasks.video._measures import LENGTHS, cut_measures, gradual_measures
from fusible.tasks.video._resolve import Candidate, resolve
from fusible.tasks.video._signature import Band, Signatures, missing
from fusible.tasks.video.shots import AHEAD, SMALLEST, candidates
from fusible.types import Media

FIT, CHOOSE = range(10_000, 10_200), range(20_000, 20_080)
RIGHT, PARTLY = 5.0, 0.3
"""Weights of the few right runs, and of the many that meet a transition partly."""
SOME = 3
"""Of the wrong runs every third is taken."""
SHIFTS = np.arange(-4.0, 2.1, 0.5)

Known = tuple[Band, tuple[Transition, ...]]


def main() -> None:
    """Make the edits of a folder (argument, kept), fit, choose thresholds, and print the weights."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    clips = training_clips(data_folder("grid_s1"), data_folder("flickr8k_1k"))
    fit, choose = ([_known(clips, seed, folder) for seed in seeds] for seeds in (FIT, CHOOSE))
    cut, gradual = _fit(*_cuts(fit)), _fit(*_graduals(fit))
    cut[-1], gradual[-1] = cut[-1] - SHIFTS[0], gradual[-1] - SHIFTS[0]
    found = [candidates(band.joined(missing(AHEAD)), 0, len(band), cut, gradual) for band, _ in choose]
    shifts = dict.fromkeys(("cut", "gradual"), -float(SHIFTS[0]))
    for kind in ("gradual", "cut", "gradual"):
        best = (-1.0, 0.0)
        for shift in SHIFTS - SHIFTS[0]:
            counts = _score(choose, found, shifts | {kind: float(shift)})
            print(f"# {kind} at {shift + SHIFTS[0]:+.1f}: {counts[kind]}, F1 {counts[kind].f1:.4f}", flush=True)
            best = max(best, (round(counts[kind].f1 + counts["any"].f1, 3), float(shift)))
        shifts[kind] = best[1]
    cut[-1], gradual[-1] = cut[-1] - shifts["cut"], gradual[-1] - shifts["gradual"]
    for name, values in (("CUT", cut), ("GRADUAL", gradual)):
        print(f"{name} = np.array([{', '.join(f'{value:.3f}' for value in values)}])")


def _score(choose: Sequence[Known], found: Sequence[list[Candidate]], shifts: dict[str, float]) -> dict[str, CutScore]:
    scores = []
    for (band, truth), many in zip(choose, found, strict=True):
        kept = [replace(c, odds=c.odds - shifts["gradual" if c.gradual else "cut"]) for c in many]
        scores.append(score_cuts(truth, resolve([c for c in kept if c.odds >= 0], band.flat, 0, closed=True)))
    return total(scores)


def _known(clips: Sequence[Sequence[Clip]], seed: int, folder: Path) -> Known:
    """Distances and truth of an edit."""
    path, kept = folder / f"{seed}.mp4", folder / f"{seed}.npz"
    if not kept.exists():
        edit = make(clips, seed)
        write(edit, path, seed)
        signatures = Signatures()
        for frame in FilmReader(Media("film", 0, str(path))):
            if isinstance(frame, Frame):
                signatures.add(frame.small)
        kinds, ends = [t.kind for t in edit.truth], [(t.first, t.last) for t in edit.truth]
        np.savez(kept, **asdict(signatures.give()), kinds=np.array(kinds), ends=np.array(ends))
    with np.load(kept) as file:
        band = Band(*(file[field.name] for field in fields(Band)))
        truth = tuple(Transition(str(k), int(a), int(b)) for k, (a, b) in zip(file["kinds"], file["ends"], strict=True))
    return band, truth


def _cuts(known: Sequence[Known]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    measures, right = [], []
    for band, truth in known:
        at = {t.first for t in truth if t.kind == "cut"}
        measures.append(cut_measures(band, 1, len(band)))
        right.append([frame in at for frame in range(1, len(band))])
    label = np.concatenate(right)
    return np.concatenate(measures), label, np.ones(len(label))


def _graduals(known: Sequence[Known]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cases = [_runs(band, truth, length) for band, truth in known for length in LENGTHS if len(band) > length]
    measures, right, weight = (np.concatenate(parts) for parts in zip(*cases, strict=True))
    return measures, right, weight


def _runs(band: Band, truth: Sequence[Transition], length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a = np.arange(len(band) - length)
    measures = gradual_measures(band, 0, len(a), length)
    right, partly, meets = (np.zeros(len(a), np.bool_) for _ in range(3))
    for t in truth:
        if t.kind == "cut":
            continue
        meets |= (a <= t.last) & (a + length >= t.first)
        for first, last in _halves(t, band.flat):
            off = np.abs(a - first) + np.abs(a + length - last)
            right |= off <= 1
            partly |= (a < last) & (a + length > first) & (off > 4)
    some = (a + length) % SOME == 0
    kept = np.isfinite(measures).all(axis=1) & (measures[:, 0] > SMALLEST) & (right | (some & (partly | ~meets)))
    weight = np.where(right, RIGHT, np.where(meets, SOME * PARTLY, SOME))
    return measures[kept], right[kept], weight[kept]


def _halves(transition: Transition, flat: np.ndarray) -> list[tuple[int, int]]:
    """Last frame before and first after a dissolve, or the two halves of a fade."""
    if transition.kind == "dissolve":
        return [(transition.first - 1, transition.last + 1)]
    rest = transition.first + np.flatnonzero(flat[transition.first : transition.last + 1])
    return [(transition.first - 1, int(rest[0])), (int(rest[-1]), transition.last + 1)] if len(rest) else []


def _fit(measures: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    model = LogisticRegression(C=10, max_iter=5_000).fit(measures, right, sample_weight=weight)
    return np.concatenate([model.coef_[0], model.intercept_])


if __name__ == "__main__":
    main()
