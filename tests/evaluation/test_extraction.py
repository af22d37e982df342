"""Scores of triples against counts by hand, one test for every rule of what makes two names the same."""

import numpy as np
import pytest

from fusible.evaluation.extraction import counts, exactly, matched, summary
from fusible.evaluation.names import normalised, same_name, value_of, written


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Aarhus_Airport", "Aarhus Airport"),  # underscores
        ('"Aarhus, Denmark"', "Aarhus, Denmark"),  # quotes
        ("AARHUS", "Aarhus"),  # case
        ("The_Wrestler_(2008_film)", "The Wrestler"),  # brackets
        ("Madrid–Barajas", "Madrid Barajas"),  # punctuation
        ("A.F.C. Fylde", "AFC Fylde"),  # initials
        ("The Beatles", "Beatles"),  # articles
        ("Atatürk", "Ataturk"),  # accents
        ("25.0", "25"),  # numbers
        ("111484 (square metres)", "111,484"),
        ("2 million", "2000000"),
        ("7", "seven"),
        ('"1932-07-27"', "July 27th, 1932"),  # dates
        ("the 27th of July 1932", "27 Jul 1932"),
        ("Karlsruhe", "Karlsruher"),  # likeness
        ("Barajas Madrid", "Madrid Barajas"),
    ],
)
def test_names_that_are_the_same(a, b):
    assert same_name(a, b)
    assert same_name(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("25", "26"),
        ("1932", "1932-07-27"),
        ("July 27, 1932", "July 28, 1932"),
        ("Boeing 747", "Boeing 737"),
        ("Aarhus", "Aarhus Airport"),
        ("Aarhus, Denmark", "Aarhus"),
        ("United States", "US"),
        ("25", "Aarhus"),
    ],
)
def test_names_that_are_not(a, b):
    assert not same_name(a, b)


def test_exact_names_have_the_same_characters():
    assert exactly("A_b", "A b")
    assert not exactly("A_b", "a b")
    assert not exactly("25.0", "25")


def test_names_of_marks_alone_are_no_empty_words():
    assert normalised("(film)") == "film"
    assert normalised("The") == "the"
    assert normalised("?!") == "?!"
    assert value_of("?!") is None
    assert written(' "a"^^xsd:string ') == "a"


def test_direction_and_relation_count():
    gold = [("a", "r", "b")]
    assert matched([("b", "r", "a")], gold).tolist() == [False]
    assert matched([("a", "s", "b")], gold).tolist() == [False]
    assert matched([("A", "r", "b")], gold).tolist() == [True]
    assert matched([("A", "r", "b")], gold, exactly).tolist() == [False]


def test_a_triple_answers_for_one_alone_and_exact_names_go_first():
    said = [("Karlsruher", "r", "b"), ("Karlsruhe", "r", "b")]
    assert matched(said, [("Karlsruhe", "r", "b")]).tolist() == [False, True]


def test_counts_and_rates_are_those_by_hand():
    said = [[("a", "r", "b"), ("A", "r", "b"), ("x", "r", "y")], []]
    gold = [[("a", "r", "b"), ("c", "r", "d")], [("e", "r", "f")]]
    table = counts(said, gold)
    assert table.tolist() == [[2, 2, 1], [0, 1, 0]]
    found = summary(table)
    assert found["precision"].score == 1 / 2
    assert found["recall"].score == 1 / 3
    assert found["f1"].score == pytest.approx(0.4)
    assert found["f1"].low <= 0.4 <= found["f1"].high


def test_intervals_stand_on_texts():
    same = summary(np.tile([4, 4, 2], (50, 1)))
    assert same["f1"].low == same["f1"].high == 0.5
    mixed = summary(np.array([[4, 4, 4], [4, 4, 0]] * 25))
    assert mixed["f1"].low < 0.4
    assert mixed["f1"].high > 0.6


def test_no_texts_have_no_score():
    assert np.isnan(summary(counts([], []))["f1"].score)
    assert summary(counts([[]], [[]]))["f1"].score == 0.0
