"""Average precision and F1 of spans against the protocols written out one span at a time."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import ArrayError
from fusible.evaluation.localisation import (
    THRESHOLDS,
    Spans,
    difference,
    match,
    mean_average_precision,
    segment_f1,
)


def overlap(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[1], b[1]))
    return shared / (a[2] - a[1] + b[2] - b[1] - shared)


def slow_precisions(truth, found, threshold):
    """ActivityNet's average precision per class, span by span."""
    result = {}
    for label in sorted({row[3] for row in truth}):
        true = [row for row in truth if row[3] == label]
        guesses = sorted((row for row in found if row[3] == label), key=lambda row: -row[4])
        taken, right = set(), []
        for guess in guesses:
            near = [(overlap(guess, row), -i) for i, row in enumerate(true) if row[0] == guess[0]]
            free = [(o, -i) for o, i in sorted(near, reverse=True) if o >= threshold and o > 0 and -i not in taken]
            right.append(bool(free))
            taken |= {free[0][1]} if free else set()
        precision = [sum(right[: i + 1]) / (i + 1) for i in range(len(right))]
        best = [max(precision[i:]) for i in range(len(right))]
        result[label] = sum(b for b, r in zip(best, right, strict=True) if r) / len(true)
    return result


def slow_f1(truth, found, threshold):
    right, used = 0, set()
    for guess in found:
        near = [(overlap(guess, row), -i) for i, row in enumerate(truth) if (row[0], row[3]) == (guess[0], guess[3])]
        if near and max(near)[0] >= threshold and max(near)[0] > 0 and max(near)[1] not in used:
            used.add(max(near)[1])
            right += 1
    precision, recall = right / max(len(found), 1), right / max(len(truth), 1)
    return precision, recall, 2 * precision * recall / (precision + recall) if right else float(not (truth or found))


spans = st.tuples(st.sampled_from("ab"), st.integers(0, 12), st.integers(1, 6), st.sampled_from("xyz"))
truths = st.lists(spans.map(lambda s: (s[0], float(s[1]), float(s[1] + s[2]), s[3])), max_size=9)
guesses = st.lists(
    st.tuples(spans, st.integers(0, 4)).map(
        lambda p: (p[0][0], float(p[0][1]), float(p[0][1] + p[0][2]), p[0][3], p[1] / 4)
    ),
    max_size=14,
)


@given(truths, guesses)
def test_average_precision_is_the_protocol_s(truth, found):
    thresholds = (0.2, 0.5, 0.75)
    matches = match(Spans.of(truth), Spans.of(found, confident=True), thresholds)
    for column, threshold in enumerate(thresholds):
        slow = slow_precisions(truth, found, threshold)
        assert list(matches.labels) == list(slow)
        np.testing.assert_allclose(matches.average_precision()[:, column], list(slow.values()), atol=1e-12)
        np.testing.assert_allclose(matches.mean()[column], np.mean(list(slow.values())) if slow else np.nan)


@given(truths, guesses)
def test_segment_f1_is_the_definition_s(truth, found):
    scores = segment_f1(Spans.of(truth), Spans.of(found, confident=True), (0.1, 0.5))
    for threshold, score in scores.items():
        assert (score.precision, score.recall, score.f1) == pytest.approx(slow_f1(truth, found, threshold))


@given(truths.filter(bool), guesses, st.integers(0, 3), st.integers(0, 3))
def test_drawing_files_is_copying_them(truth, found, first, second):
    matches = match(Spans.of(truth), Spans.of(found, confident=True), (0.5,), files="ab")
    copies = {"a": first, "b": second}

    def copied(rows):
        return [(f"{row[0]}{i}", *row[1:]) for row in rows for i in range(copies[row[0]])]

    slow = list(slow_precisions(copied(truth), copied(found), 0.5).values())
    drawn = matches.drawn(np.array([[first, second]], float))[0, 0]
    np.testing.assert_allclose(drawn, np.mean(slow) if slow else np.nan)


def test_perfect_none_and_alien_spans():
    truth = [("a", 0.0, 2.0, "x"), ("b", 1.0, 3.0, "y")]
    sure = [(*row, 0.9) for row in truth]
    scores = mean_average_precision(Spans.of(truth), Spans.of(sure, confident=True))
    assert list(scores) == ["map", *(f"map@{threshold:g}" for threshold in THRESHOLDS)]
    assert {(s.score, s.low, s.high) for s in scores.values()} == {(1.0, 1.0, 1.0)}
    nothing = mean_average_precision(Spans.of(truth), Spans.of([], confident=True))
    assert {s.score for s in nothing.values()} == {0.0}
    alien = [*sure, ("a", 0.0, 2.0, "z", 1.0)]
    assert mean_average_precision(Spans.of(truth), Spans.of(alien, confident=True))["map"].score == 1.0
    untold = mean_average_precision(Spans.of([]), Spans.of(sure, confident=True))
    assert np.isnan(untold["map"].score)


def test_the_threshold_is_inclusive_and_a_second_guess_is_wrong():
    truth = Spans.of([("a", 0.0, 2.0, "x")])
    twice = Spans.of([("a", 0.0, 1.0, "x", 0.9), ("a", 0.0, 2.0, "x", 0.8)], confident=True)
    assert match(truth, twice, (0.5, 0.6)).mean().tolist() == [1.0, 0.5]
    assert segment_f1(truth, twice)[0.5].precision == 0.5


def in_tenths(rows):
    return [(row[0], Fraction(int(row[1]), 10), Fraction(int(row[2]), 10), *row[3:]) for row in rows]


@given(truths, guesses)
def test_tenths_of_seconds_reach_thresholds_as_exact_numbers_do(truth, found):
    own, other = (Spans.of([(r[0], float(r[1]), float(r[2]), *r[3:]) for r in in_tenths(rows)], confident=c)
                  for rows, c in ((truth, False), (found, True)))  # fmt: skip
    for threshold in (Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(3, 5), Fraction(3, 4)):
        slow = slow_precisions(in_tenths(truth), in_tenths(found), threshold)
        ours = match(own, other, (float(threshold),)).average_precision()[:, 0]
        np.testing.assert_allclose(ours, list(slow.values()))
        f1 = segment_f1(own, other, (float(threshold),))[float(threshold)].f1
        assert f1 == pytest.approx(slow_f1(in_tenths(truth), in_tenths(found), threshold)[2])


def test_nothing_true_has_no_difference():
    matches = match(Spans.of([]), Spans.of([("a", 0.0, 1.0, "x", 0.5)], confident=True), files=["a", "b"])
    gain = difference(matches, matches)
    assert np.isnan([gain.mean, gain.low, gain.high, gain.p_better]).all()


def test_equal_confidences_stand_as_given():
    truth = Spans.of([("a", 0.0, 2.0, "x")])
    right, wrong = ("a", 0.0, 2.0, "x", 0.5), ("b", 0.0, 2.0, "x", 0.5)
    assert match(truth, Spans.of([right, wrong], confident=True), (0.5,)).mean()[0] == 1.0
    assert match(truth, Spans.of([wrong, right], confident=True), (0.5,)).mean()[0] == 0.5


def test_difference_is_paired_over_files(rng):
    truth = [(f"{i}", float(t), t + 1.0, "x" if i % 2 else "y") for i in range(30) for t in range(0, 9, 3)]
    shift = rng.uniform(0, 0.8, len(truth))
    rough = [(f, s + d, e + d, c, 0.5) for (f, s, e, c), d in zip(truth, shift, strict=True)]
    exact = Spans.of([(*row, 0.5) for row in truth], confident=True)
    ours, theirs = (match(Spans.of(truth), found, (0.5,)) for found in (exact, Spans.of(rough, confident=True)))
    gain = difference(ours, theirs)
    assert gain.mean == pytest.approx(1 - theirs.mean()[0])
    assert 0 < gain.low < gain.mean < gain.high
    assert gain.p_better == 1.0
    same = difference(theirs, theirs)
    assert (same.mean, same.low, same.high, same.p_better) == (0.0, 0.0, 0.0, 0.5)
    with pytest.raises(ArrayError, match="same true spans and files"):
        difference(ours, match(Spans.of(truth[:-1]), exact, (0.5,)))


def test_many_spans_in_little_time(rng):
    truth = [(f"{i % 100}", float(t), t + 1.0, f"{i % 51}") for i, t in enumerate(rng.uniform(0, 60, 3000))]
    found = [
        (f, s + d, e + d, c, p)
        for (f, s, e, c), d, p in zip(truth * 20, rng.normal(0, 2, 60_000), rng.random(60_000), strict=True)
    ]
    matches = match(Spans.of(truth), Spans.of(found, confident=True))
    slow = slow_precisions(truth[:60], found[:60], 0.5)
    fast = match(Spans.of(truth[:60]), Spans.of(found[:60], confident=True), (0.5,))
    np.testing.assert_allclose(fast.average_precision()[:, 0], list(slow.values()))
    assert 0 < matches.mean()[0] < 1


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ((["a"], [1.0], [1.0], ["x"]), "reversed or empty"),
        ((["a"], [2.0], [1.0], ["x"]), "reversed or empty"),
        ((["a"], [np.nan], [1.0], ["x"]), "finite"),
        ((["a", "b"], [0.0], [1.0], ["x"]), "one length"),
        ((["a"], [0.0], [1.0], ["x"], [np.inf]), "finite"),
    ],
)
def test_bad_spans_are_refused(columns, says):
    with pytest.raises(ArrayError, match=says):
        Spans(*map(np.array, columns))


def test_confidences_are_needed():
    truth = Spans.of([("a", 0.0, 1.0, "x")])
    with pytest.raises(ArrayError, match="need confidences"):
        match(truth, truth)
