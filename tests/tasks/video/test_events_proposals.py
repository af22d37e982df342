"""Proposals: soft suppression against a slow oracle, overlaps in closed form, films' ends."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fusible.tasks.video._events_proposals import Points, overlap, propose, soft_nms


def slow_soft_nms(spans, scores, spread, floor):
    """Bodla et al., Figure 3, word by word."""
    left, kept = [(list(span), float(score), i) for i, (span, score) in enumerate(zip(spans, scores, strict=True))], []
    while left:
        best = max(left, key=lambda one: one[1])
        if best[1] < floor:
            break
        left.remove(best)
        kept.append((best[2], best[1]))
        again = []
        for span, score, i in left:
            inter = max(0.0, min(span[1], best[0][1]) - max(span[0], best[0][0]))
            union = (span[1] - span[0]) + (best[0][1] - best[0][0]) - inter
            lower = score * np.exp(-((inter / union) ** 2) / spread)
            if lower >= floor:
                again.append((span, lower, i))
        left = again
    return kept


@st.composite
def proposals(draw):
    count = draw(st.integers(0, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    starts = rng.uniform(0, 10, count)
    return np.stack([starts, starts + rng.uniform(0.1, 4, count)], axis=1), rng.uniform(0.01, 1, count)


@given(proposals(), st.floats(0.05, 2.0), st.floats(0.001, 0.5))
def test_soft_suppression_is_that_of_the_paper(given_ones, spread, floor):
    spans, scores = given_ones
    places, found = soft_nms(spans, scores, spread=spread, floor=floor)
    wanted = slow_soft_nms(spans, scores, spread, floor)
    assert places.tolist() == [place for place, _ in wanted]
    np.testing.assert_allclose(found, [score for _, score in wanted], rtol=1e-9)
    assert (np.diff(found) <= 1e-12).all()


def test_overlap_in_closed_form():
    found = overlap(np.array([0.0, 2.0]), np.array([[0.0, 2.0], [1.0, 2.0], [2.0, 3.0], [1.0, 5.0]]))
    np.testing.assert_allclose(found, [1.0, 0.5, 0.0, 0.2])
    assert overlap(np.array([1.0, 1.0]), np.array([[1.0, 1.0]])).tolist() == [0.0]


@given(st.integers(0, 10_000))
def test_suppression_in_groups_is_suppression_of_all(seed):
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, 60, 40)
    points = Points(times, rng.uniform(0.1, 2, (40, 2)), rng.uniform(0, 1, (40, 2)))
    found = propose(points, 60.0)
    for label in (0, 1):
        kept = points.scores[:, label] >= 0.01
        spans = np.clip(np.stack([times - points.sides[:, 0], times + points.sides[:, 1]], axis=1), 0, 60)[kept]
        wanted = sorted(score for _, score in slow_soft_nms(spans, points.scores[kept, label], 0.3, 0.01))
        np.testing.assert_allclose(sorted(found.scores[found.labels == label]), wanted, rtol=1e-9)
    assert (np.diff(found.scores) <= 0).all()


def test_spans_end_with_the_film_and_none_is_empty():
    points = Points(np.array([0.5, 9.5, 12.0]), np.full((3, 2), 1.0), np.full((3, 1), 0.9))
    found = propose(points, 10.0)
    assert sorted(map(tuple, found.spans.tolist())) == [(0.0, 1.5), (8.5, 10.0)]
    assert len(propose(Points(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 3))), 10.0).scores) == 0
