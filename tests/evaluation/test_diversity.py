"""Diversity: counts by hand, bounds, and what is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.errors import DataError
from fusible.evaluation.diversity import diversity

WORDS = st.lists(st.sampled_from(["a", "red", "blue", "dog", "cat", "runs"]), max_size=6).map(" ".join)
CAPTIONS = st.lists(WORDS, min_size=1, max_size=6)


def test_counts_by_hand():
    found = diversity(["A red dog runs.", "a red dog sits", "a blue cat"], ["a red dog runs", "A cat sits!"])
    assert found.captions == 3
    assert found.distinct_1 == 7 / 11  # a red dog runs sits blue cat
    assert found.distinct_2 == 6 / 8  # (a red) and (red dog) stand twice
    assert found.vocabulary == 7
    assert found.mean_length == 11 / 3
    assert found.copied == 1 / 3
    assert found.novel == pytest.approx(2 / 3)
    # unseen: blue; (dog sits) (a blue) (blue cat); (red dog sits) (a blue cat); (a red dog sits)
    assert found.unseen == (1 / 11, 3 / 8, 2 / 5, 1 / 2)


def test_without_training_nothing_is_said_about_copies():
    found = diversity(["a dog"])
    assert (found.copied, found.novel, found.unseen) == (None, None, None)
    assert found.to_json()["distinct_1"] == 1.0


def test_empty_captions_have_no_ngrams():
    found = diversity(["", "."], [])
    assert (found.distinct_1, found.distinct_2, found.mean_length, found.vocabulary) == (0.0, 0.0, 0.0, 0)
    assert found.unseen == (0.0, 0.0, 0.0, 0.0)
    assert found.copied == 0.0


def test_captions_of_which_no_word_is_left_are_copied_only_as_they_are():
    assert diversity(["🐈", "🐕", "?", "!"], ["🐈", "? "]).copied == 1 / 2


def test_no_captions_are_refused():
    with pytest.raises(DataError, match="got none"):
        diversity([])


@given(CAPTIONS, CAPTIONS, st.randoms(use_true_random=False))
def test_bounds_and_order(captions, training, order):
    found = diversity(captions, training)
    shares = [found.distinct_1, found.distinct_2, found.copied, found.novel, *found.unseen]
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert found.copied + found.novel == pytest.approx(1.0)
    mixed = list(captions)
    order.shuffle(mixed)
    assert diversity(mixed, training[::-1]) == found


@given(CAPTIONS)
def test_training_captions_are_all_copied(captions):
    found = diversity(captions, captions)
    assert (found.copied, found.novel, found.unseen) == (1.0, 0.0, (0.0, 0.0, 0.0, 0.0))


@given(CAPTIONS)
def test_the_same_again_halves_what_is_distinct(captions):
    once, twice = diversity(captions), diversity(captions * 2)
    assert twice.distinct_1 == pytest.approx(once.distinct_1 / 2)
    assert twice.vocabulary == once.vocabulary
