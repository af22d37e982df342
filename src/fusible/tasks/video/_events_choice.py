"""Candidates of a study of events: each view alone, fused, and averages of them; weights chosen on validation films."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from fusible.evaluation.localisation import segment_f1
from fusible.networks._localiser import Dense
from fusible.tasks.video._events_members import Average, Member, events, mixed
from fusible.tasks.video._events_proposals import Found
from fusible.tasks.video._events_score import Judge
from fusible.tasks.video._events_tracks import Tracks

SHARES = 10
"""Weights are multiples of one in so many; for more than two members of half as many."""
FLOOR, COARSE = 0.01, 0.05
"""Least confidence of events that are scored, and of those by which weights are compared: fewer, so faster."""


LEVELS = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())
"""Confidences that are tried as the least of events that are told."""


class Weigher:
    """Validation films with the scores of members at all points, each read once."""

    def __init__(self, films: Sequence[Tracks], judge: Judge) -> None:
        self.films, self.judge = films, judge
        self._dense: dict[str, list[Dense]] = {}

    def score(self, member: Member) -> float:
        """mAP@.5 of a member as it is now; nothing is remembered."""
        found = [events(member.dense(film), film, member.network.levels, floor=FLOOR) for film in self.films]
        return self.judge.score(found)

    def best(self, name: str, members: Sequence[Member], rule: str) -> Average:
        """The average of members whose weights give the best mAP@.5; equal ones where they tie."""
        dense = [self._of(member) for member in members]
        tried = []
        for weights in simplex(len(members)):
            average = Average(name, tuple(members), weights, rule)
            found = [
                events(
                    mixed([one[i] for one in dense], weights, average.seen(film), rule),
                    film,
                    members[0].network.levels,
                    floor=COARSE,
                )
                for i, film in enumerate(self.films)
            ]
            tried.append((self.judge.score(found), -float(np.std(weights)), average))
        return max(tried, key=lambda one: one[:2])[2]

    def _of(self, member: Member) -> list[Dense]:
        if member.name not in self._dense:
            self._dense[member.name] = [member.dense(film) for film in self.films]
        return self._dense[member.name]


def least_confidence(judge: Judge, found: Sequence[Found]) -> float:
    """From which confidence on events are told: F1 at an overlap of .5 is best on these films, the least of equals.

    Mean average precision looks at doubtful events, too; a list for people should hold what is more often right.
    """
    scores = [segment_f1(judge.truth, judge.given(found, floor), [0.5])[0.5].f1 for floor in LEVELS]
    return float(LEVELS[int(np.argmax(scores))])


def simplex(members: int) -> list[tuple[float, ...]]:
    """Weights of so many members that sum to one, none zero.

    >>> simplex(2)[:2], len(simplex(3))
    ([(0.1, 0.9), (0.2, 0.8)], 6)
    """
    shares = SHARES if members < 3 else max(SHARES // 2, members)
    whole = itertools.product(range(1, shares), repeat=members - 1)
    return [(*(one / shares for one in some), (shares - sum(some)) / shares) for some in whole if sum(some) < shares]
