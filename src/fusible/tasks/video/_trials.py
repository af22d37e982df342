"""Clips shifted on purpose: what the confidence of an offset is learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fusible.tasks.video._courses import REACH, Courses
from fusible.tasks.video._lags import STEP


def trials(
    held: Sequence[Courses], score: Callable[[Courses, np.ndarray], np.ndarray], lags: np.ndarray
) -> Iterator[tuple[np.ndarray, int | None]]:
    """Scores over lags of clips cut and shifted at random, with the place of the true lag.

    Each again beside the sound of another clip, with None. Both picture and sound are there from end to end, so that no
    edge tells the lag.
    """
    rng = np.random.default_rng(0)
    for number, courses in enumerate(held):
        steps = min(len(courses.picture), len(courses.sound) // STEP)
        length = max(4 * REACH, int(steps * rng.uniform(0.3, 0.8)))
        most = min(steps - length, int(lags[-1]) // STEP)
        if most < 0:
            continue
        late = int(rng.integers(-most, most + 1))
        start = int(rng.integers(max(0, late), steps - length + min(0, late) + 1))
        shown, heard = slice(start, start + length), slice((start - late) * STEP, (start - late + length) * STEP)
        yield score(courses.cut(shown, heard), lags), late * STEP - int(lags[0])
        other = Courses(courses.picture, courses.first, held[number - 1].sound)
        if len(held) > 1:
            yield score(other.cut(shown, heard), lags), None
