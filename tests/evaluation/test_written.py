"""Ratios of sums and their resamples: closed forms, and agreement with a plain bootstrap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusible.evaluation.ratio import Ratio, interval, paired
from fusible.evaluation.study import Difference, Score
from fusible.evaluation.written import Captions, WriterResult, best_of, sign, title

ITEMS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=2, max_size=30)


@given(ITEMS)
def test_a_ratio_is_that_of_sums(items):
    top, bottom = np.array(items, float).T
    ratio = Ratio(top, bottom)
    assert ratio.value == pytest.approx(top.sum() / bottom.sum())
    found = interval(ratio, resamples=100)
    assert found.low <= found.high
    assert (top / bottom).min() - 1e-9 <= found.low
    assert found.high <= (top / bottom).max() + 1e-9


def test_interval_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(0)
    top, bottom = rng.poisson(2, 200).astype(float), np.full(200, 6.0)
    plain = [np.mean(top[rng.integers(0, 200, 200)]) / 6 for _ in range(4000)]
    found = interval(Ratio(top, bottom), 4000)
    np.testing.assert_allclose([found.low, found.high], np.percentile(plain, (2.5, 97.5)), atol=0.01)


@given(ITEMS)
def test_a_writer_is_no_better_than_itself(items):
    top, bottom = np.array(items, float).T
    found = paired(Ratio(top, bottom), Ratio(top, bottom), resamples=50)
    assert (found.mean, found.low, found.high, found.p_better) == (0.0, 0.0, 0.0, 0.5)


def test_less_is_better_where_the_sign_says_so():
    few, many = Ratio(np.array([1.0, 0.0]), np.ones(2)), Ratio(np.array([1.0, 1.0]), np.ones(2))
    assert paired(few, many, sign("wer"), 200).mean == pytest.approx(0.5)
    assert paired(few, many, sign("exact"), 200).mean == pytest.approx(-0.5)
    assert [title(name) for name in ("wer", "cider_d", "bleu_1")] == ["word error rate", "CIDEr-D", "BLEU-1"]


def test_result_names_rows_and_says_the_verdict():
    rows = [
        WriterResult("photo", "single", {"wer": Score(0.2, 0.1, 0.3)}),
        WriterResult("blind decoder", "baseline", {"wer": Score(0.8, 0.7, 0.9)}),
        WriterResult("most frequent", "baseline", {"wer": Score(0.9, 0.8, 1.0)}),
    ]
    assert best_of({row.name: row for row in rows[1:]}, "wer") == "blind decoder"
    found = Captions("wer", "photo", rows, {"test": 4}, "blind decoder", "helps", Difference(0.6, 0.5, 0.7))
    assert found.statement.startswith("photo (word error rate 0.200) writes better than blind decoder")
    assert found.row("photo") is rows[0]
    assert found.frame["writer"].tolist() == [row.name for row in rows]
    assert "word error rate on 4 test inputs" in repr(found)
    with pytest.raises(KeyError, match="expected one of"):
        found.row("nobody")
