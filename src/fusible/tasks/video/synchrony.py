"""Whether sound and picture run together: by how much the sound of a clip is late.

`Synchroniser` learns from the user's own clips, whose sound and picture are right, which sounds go with which motion,
without any labels: canonical correlation of windows of both (Slaney and Covell, "FaceSync", NIPS 2000; Sargın et al.,
"Audiovisual synchronization and fusion using CCA", 2007). The offset is the lag at which the clip is most likely under
the Gaussian model behind CCA (Bach and Jordan 2005). `motion_offset` needs no model: it correlates how much the picture
moves with how much the sound changes (Hershey and Movellan, NIPS 1999).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from fusible.alignment._gram import Gram
from fusible.alignment._views import Chunk
from fusible.alignment.cca import Cca
from fusible.errors import ConfigError, DataError, ModelFormatError
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.video._courses import MELS, REACH, Courses, filtered, on_grid, sound_course, windows
from fusible.tasks.video._lags import LAG, STEP, TOLERANCE, Belief, Offset, fit_belief, lags_within, offset_of
from fusible.tasks.video._movement import movement_scores
from fusible.tasks.video._pair import Pair, PairFiles, read_pair, read_stretches
from fusible.tasks.video._region import Region
from fusible.tasks.video._trials import trials

__all__ = ["Offset", "Pair", "PairFiles", "Synchroniser", "motion_offset", "read_pair", "read_stretches"]

VIEWS = ("picture", "sound")
PARTS = 8
"""Canonical components."""
RIDGES = (1e-3, 1e-2, 1e-1)
SAMPLE = 96
"""Clips that the region is learned from."""
FEWEST = 4
"""Clips without which nothing is learned."""
MOST = 1.0
"""Seconds by which sound is early or late at most, unless told otherwise."""
MOVEMENT = Belief(0.64, 0.0)
"""How scores of `motion_offset` become probabilities: fitted on validation clips of GRID."""


def motion_offset(pairs: Pair | Iterable[Pair], *, most: float = MOST) -> Offset:
    """Estimate by how many seconds the sound of a clip is late, from how motion and sound change, without a model.

    Several pairs are stretches of one file: their evidence adds up. Best with one thing that moves as it sounds, over
    many seconds; a still picture or a silent sound gives 0 with the confidence of chance.
    """
    lags = _lags(most)
    total = np.sum([movement_scores(pair, lags) for pair in _several(pairs)], axis=0)
    return offset_of(total + np.zeros(len(lags)), MOVEMENT)


class Synchroniser:
    """Estimates by how much the sound of a clip is late, from clips in which it is not.

    `fit` learns; `offset` estimates. Clips should show one kind of scene with a steady camera, such as a talker: the
    region that moves most in them is looked at. Learned: `correlations_` of the canonical components, `ridge_`,
    `found_`, the share of held-out clips whose sound, shifted, was found within 80 ms, and `clips_`, their number.
    """

    def __init__(self, *, most: float = MOST) -> None:
        _lags(most)
        self.most = most

    def fit(self, pairs: Sequence[Pair], valid: Sequence[Pair] | None = None) -> Self:
        """Learn from clips that are in synchrony; files are read as they are needed where `pairs` is a `PairFiles`.

        The ridge and how sure scores make are chosen on `valid`, or on every fifth of the clips, which are then learned
        from too. Clips that cannot be read are passed over; raises `DataError` where fewer than four are left.
        """
        self.region_ = Region.learn([pair.frames for pair in _readable(pairs, SAMPLE)])
        apart = [Gram(VIEWS, _widths(self.region_)) for _ in range(2)]
        held = [self._courses(pair) for pair in _readable(valid)] if valid is not None else []
        count = 0
        for number, pair in enumerate(_readable(pairs)):
            courses, kept = self._courses(pair), valid is None and number % 5 == 4
            found = windows(courses)
            if found is None:
                continue
            count += 1
            apart[kept].update(Chunk(found))
            held += [courses] if kept else []
        if count < FEWEST or not held:
            raise DataError(
                f"synchrony: expected at least {FEWEST} clips of a second or more to learn from, got {count}"
            )
        self._choose(apart[0], held)
        if valid is None:
            self._solve(apart[0].merge(apart[1]), self.ridge_)
        self.clips_ = count
        return self

    def offset(self, pairs: Pair | Iterable[Pair], *, most: float | None = None) -> Offset:
        """Estimate by how many seconds the sound is late, at most `most` either way.

        Several pairs are stretches of one file: their evidence adds up.
        """
        lags = _lags(self.most if most is None else most)
        total = np.sum([self._scores(self._courses(pair), lags) for pair in _several(pairs)], axis=0)
        return offset_of(total + np.zeros(len(lags)), self.belief_)

    def save(self, folder: str | Path) -> Path:
        """Write what was learned to a folder without pickle, whole or not at all."""
        arrays = {"template": self.region_.template, "directions": self.region_.directions, "scale": self.region_.scale}
        arrays |= {"place": self.region_.place, "correlations": torch.from_numpy(self.correlations_)}
        for name, weights, mean in zip(VIEWS, self.filters_, self.means_, strict=True):
            arrays |= {f"{name}.filter": torch.from_numpy(weights.copy()), f"{name}.mean": torch.from_numpy(mean)}
        learned = {
            "most": self.most,
            "ridge": self.ridge_,
            "found": self.found_,
            "clips": self.clips_,
            "sharpness": self.belief_.sharpness,
            "doubt": self.belief_.doubt,
        }
        config = {"format": FORMAT, "synchrony": learned, "encoders": {}}
        card = (
            f"# Fusible synchrony model\n\nLearned from {self.clips_} clips; of held-out clips whose sound was "
            f"shifted, {self.found_:.0%} were found within {TOLERANCE * 1000:.0f} ms.\n"
        )
        return store(check_model(Path(folder)), config, pack.Packed(arrays=arrays), card)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read the folder of a model; raises `ModelFormatError` where it is damaged or holds something else."""
        with opened(Path(folder)) as (config, parts):
            if "synchrony" not in config:
                raise ModelFormatError(f"{folder}: holds no synchrony model; fit one with `fusible video fit-sync`")
            learned, arrays = config["synchrony"], parts.arrays
            model = cls(most=float(learned["most"]))
            model.region_ = Region(*(arrays[name] for name in ("template", "directions", "scale", "place")))
            model.filters_ = tuple(arrays[f"{name}.filter"].numpy() for name in VIEWS)
            model.means_ = tuple(arrays[f"{name}.mean"].numpy() for name in VIEWS)
            model.correlations_ = arrays["correlations"].numpy()
            model.belief_ = Belief(float(learned["sharpness"]), float(learned["doubt"]))
            model.ridge_, model.found_ = float(learned["ridge"]), float(learned["found"])
            model.clips_ = int(learned["clips"])
            model._check()
        return model

    # -- inside -------------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Raise `ModelFormatError` where the arrays do not fit one another."""
        parts = len(self.correlations_)
        wanted = [(width // (2 * REACH + 1), parts) for width in _widths(self.region_)]
        if [weights.shape[1:] for weights in self.filters_] != wanted or any(m.shape != (parts,) for m in self.means_):
            raise ModelFormatError("weights.safetensors: filters of the wrong shape; copy or fit the model again")

    def _courses(self, pair: Pair) -> Courses:
        picture, first = on_grid(pair, pair.times, self.region_.course(pair.frames))
        return Courses(picture, first, sound_course(pair.wave))

    def _choose(self, gram: Gram, held: Sequence[Courses]) -> None:
        """Take the ridge under which shifts of held-out clips are found most often, the largest of those as good."""
        tried = []
        for ridge in RIDGES:
            self._solve(gram, ridge)
            curves, truths = zip(*trials(held, self._scores, _lags(self.most)), strict=True)
            belief = fit_belief(curves, truths)
            right = [
                abs(offset_of(scores, belief).seconds - (at - len(scores) // 2) * LAG) <= TOLERANCE
                for scores, at in zip(curves, truths, strict=True)
                if at is not None
            ]
            tried.append((float(np.mean(right)), ridge, belief))
        self.found_, self.ridge_, self.belief_ = max(tried, key=lambda one: one[:2])
        self._solve(gram, self.ridge_)

    def _solve(self, gram: Gram, ridge: float) -> None:
        cca = Cca(ridge=ridge).fit_gram(gram)
        taps, found = 2 * REACH + 1, [weights[:, :PARTS] for weights in cca.weights_]  # fewer where ranks are lower
        self.filters_ = tuple(np.reshape(one, (taps, len(one) // taps, one.shape[1])) for one in found)
        self.means_ = tuple(mean @ weights for mean, weights in zip(cca.means_, found, strict=True))
        self.correlations_ = np.clip(cca.correlations_[:PARTS], 0.0, 0.99)

    def _scores(self, courses: Courses, lags: np.ndarray) -> np.ndarray:
        """Log likelihood ratio (lags,) of picture and sound being one event at that lag, to their being two.

        With correlation r of a component of unit variance it is -½ log(1 - r²) - (r²x² - 2rxy + r²y²) / (2 - 2r²).
        Steps for which there is no sound say nothing, so that lags with little in common score about 0.
        """
        x = filtered(courses.picture, self.filters_[0], 1) - self.means_[0]
        y = filtered(courses.sound, self.filters_[1], STEP) - self.means_[1]
        scores = np.zeros(len(lags))
        if not len(x) or not len(y):
            return scores
        r = self.correlations_
        both, alone = r / (1 - r**2), r**2 / (2 - 2 * r**2)
        x_alone, y_alone = (x**2) @ alone, (y**2) @ alone
        chance = float(-0.5 * np.log(1 - r**2).sum())
        places = courses.first + STEP * np.arange(len(x))  # both lost REACH steps before
        for number, lag in enumerate(lags):
            here = places + lag
            inside = (here >= 0) & (here < len(y))
            at = here[inside]
            cross = np.einsum("tc,tc,c->t", x[inside], y[at], both)
            scores[number] = float((cross - x_alone[inside] - y_alone[at] + chance).sum())
        return scores


def _lags(most: float) -> np.ndarray:
    if isinstance(most, bool) or not isinstance(most, int | float) or not 0.05 <= most <= 60.0:
        raise ConfigError(f"synchrony: most must be a number of seconds from 0.05 to 60, got {most!r}")
    return lags_within(most)


def _several(pairs: Pair | Iterable[Pair]) -> Iterable[Pair]:
    return [pairs] if isinstance(pairs, Pair) else pairs


def _readable(pairs: Sequence[Pair], most: int | None = None) -> Iterator[Pair]:
    """Clips that can be read, evenly spaced ones where `most` is given; raises where there is none."""
    number = len(pairs) if most is None else min(most, len(pairs))
    failure: DataError | None = None
    found = 0
    for place in np.unique(np.linspace(0, len(pairs) - 1, number).astype(int)).tolist():
        try:
            pair = pairs[place]
        except DataError as error:
            failure = error
            continue
        found += 1
        yield pair
    if not found:
        raise failure or DataError("synchrony: no clip to learn from; give some whose sound and picture are right")


def _widths(region: Region) -> tuple[int, int]:
    taps = 2 * REACH + 1
    return taps * len(region.directions), taps * MELS
