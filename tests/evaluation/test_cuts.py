"""Scores of cuts: matching one to one, tolerance, kinds, against brute force."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError
from fusible.evaluation.cuts import CutScore, Transition, match, score_cuts, total

RUNS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=5)


def cut(frame):
    return Transition("cut", frame, frame)


def made(runs):
    return [Transition("cut" if length == 0 else "dissolve", first, first + length) for first, length in runs]


def touches(one, other, tolerance):
    return one.first - tolerance <= other.last and other.first <= one.last + tolerance


@given(RUNS, RUNS, st.integers(0, 3))
def test_as_many_pairs_as_brute_force_finds(left, right, tolerance):
    truth, found = made(left), made(right)
    few, many = sorted((truth, found), key=len)
    best = max(sum(touches(a, b, tolerance) for a, b in zip(few, order, strict=False)) for order in permutations(many))
    pairs = match(truth, found, tolerance)
    assert len(pairs) == best
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(touches(truth[a], found[b], tolerance) for a, b in pairs)


@pytest.mark.parametrize(("off", "hits"), [(-3, 0), (-2, 1), (0, 1), (2, 1), (3, 0)])
def test_a_cut_is_hit_within_the_tolerance(off, hits):
    assert score_cuts([cut(50)], [cut(50 + off)], 2)["cut"] == CutScore(hits, 1 - hits, 1 - hits)


def test_one_found_hits_one_only():
    score = score_cuts([cut(50), cut(52)], [cut(51)], 2)["cut"]
    assert (score.hits, score.extra, score.missed) == (1, 0, 1)
    assert score.precision == 1.0
    assert score.recall == 0.5
    assert score.f1 == pytest.approx(2 / 3)


def test_a_greedy_pair_does_not_take_another_ones_match():
    assert match([cut(10), cut(12)], [cut(12), cut(14)], 2) == [(0, 0), (1, 1)]


def test_of_two_that_reach_the_nearer_is_taken():
    truth = [Transition("dissolve", 10, 20)]
    assert match(truth, [Transition("dissolve", 1, 10), Transition("dissolve", 11, 20)], 2) == [(0, 1)]


def test_kinds_are_matched_apart_and_together():
    scores = score_cuts([Transition("fade", 10, 20), cut(40)], [cut(15), Transition("gradual", 41, 50)], 2)
    assert scores["cut"] == scores["gradual"] == CutScore(0, 1, 1)
    assert scores["any"] == CutScore(2, 0, 0)


def test_a_finder_without_kinds_is_not_blamed_for_them():
    found = [Transition("any", frame, frame) for frame in (15, 40, 70)]
    scores = score_cuts([Transition("dissolve", 10, 20), cut(40)], found, 2)
    assert scores["gradual"] == CutScore(1, 0, 0)
    assert scores["cut"] == CutScore(1, 1, 0)


def test_nothing_to_find_and_nothing_found_is_right():
    assert {score.f1 for score in score_cuts([], [], 2).values()} == {1.0}
    assert score_cuts([], [cut(3)], 2)["cut"].f1 == 0.0


def test_total_sums_counts():
    sums = total([score_cuts([cut(3)], [cut(3)]), score_cuts([cut(3)], [])])
    assert sums["cut"] == CutScore(1, 0, 1)


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (5, 4)])
def test_reversed_or_negative_frames_are_refused(first, last):
    with pytest.raises(ArrayError, match="expected 0 <= first <= last"):
        Transition("cut", first, last)


def test_negative_tolerance_is_refused():
    with pytest.raises(ArrayError, match="tolerance must be at least 0"):
        match([cut(1)], [cut(1)], -1)
