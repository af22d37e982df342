"""Longest common subsequences and edit distances against recursive oracles; n-grams against slices."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.evaluation._words import common_length, edit_distance, ngrams

WORDS = st.lists(st.sampled_from("abcd"), max_size=9)


def distance(a, b):
    """Levenshtein's distance by its definition."""

    @cache
    def over(i, j):
        if not i or not j:
            return i + j
        return min(over(i - 1, j) + 1, over(i, j - 1) + 1, over(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return over(len(a), len(b))


def common(a, b):
    """Length of the longest common subsequence by its definition."""

    @cache
    def over(i, j):
        if not i or not j:
            return 0
        return over(i - 1, j - 1) + 1 if a[i - 1] == b[j - 1] else max(over(i - 1, j), over(i, j - 1))

    return over(len(a), len(b))


@given(WORDS, WORDS)
def test_distance_and_common_length_are_the_oracles(a, b):
    assert edit_distance(a, b) == edit_distance(b, a) == distance(a, b)
    assert common_length(a, b) == common_length(b, a) == common(a, b)


@given(WORDS, WORDS, WORDS)
def test_distance_is_a_metric(a, b, c):
    assert edit_distance(a, a) == 0
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize("size", [63, 64, 65, 3000])
def test_long_rows(size):
    a, b = ["x"] * size, ["x"] * (size // 2) + ["y"] * (size // 4)
    assert common_length(a, b) == size // 2
    assert edit_distance(a, b) == size - size // 2


@given(WORDS, st.integers(1, 3), st.integers(1, 5))
def test_ngrams_are_slices(words, shortest, longest):
    slices = [
        tuple(words[at : at + n]) for n in range(shortest, longest + 1) for at in range(max(0, len(words) - n + 1))
    ]
    assert list(ngrams(words, longest, shortest)) == slices
