"""Ranks of link prediction against a loop over entities, and what is made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.evaluation.links import Known, both_ways, difference, per_triple, ranks, summary

ENTITIES, RELATIONS = 6, 2


def slow(scores, query, answer, triples):
    """Mean of the best and the worst place, other true answers left out."""
    entity, kind = query
    true = {t for h, r, t in triples if (h, r) == (entity, kind)}
    true |= {h for h, r, t in triples if (t, r + RELATIONS) == (entity, kind)}
    rivals = [scores[e] for e in range(ENTITIES) if e == answer or e not in true]
    own = scores[answer]
    best = 1 + sum(rival > own for rival in rivals)
    return (best + sum(rival >= own for rival in rivals)) / 2


@given(
    st.lists(
        st.tuples(st.integers(0, ENTITIES - 1), st.integers(0, RELATIONS - 1), st.integers(0, ENTITIES - 1)),
        min_size=1,
        max_size=20,
        unique=True,
    ),
    st.integers(0, 100),
)
def test_ranks_are_those_of_a_loop(triples, seed):
    table = np.array(triples)
    queries, answers = both_ways(table, RELATIONS)
    scores = np.random.default_rng(seed).integers(0, 4, (len(queries), ENTITIES)).astype(float)  # many ties
    found = ranks(scores, queries, answers, Known(table, RELATIONS))
    expected = [slow(*case, triples) for case in zip(scores, queries.tolist(), answers, strict=True)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_scores_with_ties_and_filters_are_those_of_a_loop(seed):
    random = np.random.default_rng(seed)
    table = np.unique(random.integers(0, [ENTITIES, RELATIONS, ENTITIES], (40, 3)), axis=0)
    queries, answers = both_ways(table, RELATIONS)
    scores = random.integers(0, 3, (len(queries), ENTITIES)).astype(float)
    places = [slow(*case, table.tolist()) for case in zip(scores, queries.tolist(), answers, strict=True)]
    found = per_triple(ranks(scores, queries, answers, Known(table, RELATIONS)))
    assert found["mrr"].mean() == pytest.approx(np.mean([1 / place for place in places]), abs=1e-12)
    assert found["mean_rank"].mean() == pytest.approx(np.mean(places), abs=1e-12)
    for k in (1, 3, 10):
        assert found[f"hits@{k}"].mean() == pytest.approx(np.mean([place <= k for place in places]), abs=1e-12)


def test_a_constant_score_ranks_in_the_middle():
    triples = np.array([[0, 0, 1]])
    queries, answers = both_ways(triples, 1)
    assert ranks(np.zeros((2, 9)), queries, answers, Known(triples, 1)).tolist() == [5.0, 5.0]


def test_a_score_that_is_no_number_ranks_last():
    triples = np.array([[0, 0, 1]])
    queries, answers = both_ways(triples, 1)
    scores = np.zeros((2, 3))
    scores[[0, 1], answers] = np.nan
    assert ranks(scores, queries, answers, Known(triples, 1)).tolist() == [3.0, 3.0]


def test_answers_of_queries_that_nobody_asked_are_none():
    known = Known(np.array([[0, 0, 1], [0, 0, 2], [3, 1, 0]]), RELATIONS)
    rows, found = known.answers(np.array([[0, 0], [5, 1], [0, 3], [5, 3]]))
    assert list(zip(rows.tolist(), found.tolist(), strict=True)) == [(0, 1), (0, 2), (2, 3)]


def test_metrics_are_means_over_both_ways():
    values = per_triple(np.array([1.0, 4.0, 2.0, 20.0]))  # tails, then heads
    np.testing.assert_allclose(values["mrr"], [0.75, 0.15])
    np.testing.assert_allclose(values["hits@1"], [0.5, 0.0])
    np.testing.assert_allclose(values["hits@3"], [1.0, 0.0])
    np.testing.assert_allclose(values["hits@10"], [1.0, 0.5])
    scores = summary(values)
    assert scores["mrr"].score == pytest.approx(0.45)
    assert scores["mrr"].low < 0.45 < scores["mrr"].high


def test_without_triples_there_is_no_score():
    assert np.isnan(summary(per_triple(np.zeros(0)))["mrr"].score)


def test_a_difference_is_paired():
    ours = np.random.default_rng(0).random(400)
    found = difference(ours + 0.01, ours)
    assert found.low == pytest.approx(0.01)
    assert found.high == pytest.approx(0.01)
