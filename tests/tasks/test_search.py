"""A search within a budget: what is tried, kept, stopped, and said."""

import sys
from itertools import count
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fusible.errors import ConfigError, MissingExtraError
from fusible.tasks import search, strategies
from fusible.tasks.compare import compare
from fusible.tasks.features import fit_feature
from fusible.tasks.search import KEPT, seconds_of


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), ("45", 45), (30, 30)])
def test_a_budget_is_a_time(text, seconds):
    assert seconds_of(text) == seconds
    assert seconds_of(None) is None


@pytest.mark.parametrize("odd", ["0", "-1m", "ten minutes", "5d", "", "nan"])
def test_what_is_no_time_is_refused(odd):
    with pytest.raises(ConfigError, match="budget"):
        seconds_of(odd)


def test_without_the_package_it_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"--budget needs the package 'optuna'.*fusible\[search\]"):
        compare("no such table.csv", "kind", budget="1m")


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 120)
    words = np.array(["red warm", "blue cold"])[kind]
    return pd.DataFrame(
        {
            "note": [f"{word} {rng.choice(['old', 'new'])}" for word in words],
            "size": kind + rng.normal(size=120),
            "kind": np.array(["x", "y"])[kind],
        }
    )


def test_the_best_trials_become_strategies_and_every_trial_is_told(table, monkeypatch):
    ticks = count()  # a clock that counts how often it is read, so that a busy machine tries as much as an idle one
    monkeypatch.setattr(search, "time", SimpleNamespace(perf_counter=lambda: 0.04 * next(ticks)))
    result = compare(
        table,
        "kind",
        columns={"note": "text"},
        strategies=["feature:sum", "model:greedy"],
        encoders={"note": "text_gru"},
        budget="8s",
    )
    tried = result.settings["tried"]
    assert len(tried) >= KEPT
    assert [trial["trial"] for trial in tried] == list(range(len(tried)))
    kept = [row.name for row in result.strategies if "#" in row.name]
    finished = sorted((t for t in tried if not t["stopped_early"]), key=lambda t: t["validation_loss"])
    assert set(kept) == {f"feature:{t['operator']}#{t['trial']}" for t in finished[:KEPT]}
    assert all({"peak_rate", "width", "dropout", "modality_dropout"} <= set(trial) for trial in tried)
    assert "model:greedy" in [row.name for row in result.strategies]
    assert result.best.predict(table.head(3)).shape[0] == 3


class _EnoughError(Exception):
    """Nothing after the search is looked at."""


def test_a_search_encodes_nothing_anew_whatever_operator_it_tries(table, tmp_path, monkeypatch):
    counts = []

    def attended(context, candidates, seconds, own):
        counts.append(dict(context.source.counts))
        inputs = [found[0] for found in candidates.values()]
        fit_feature(context, "cross_attention", inputs, own=own)  # reads tokens, which the named strategy does not
        counts.append(dict(context.source.counts))
        raise _EnoughError

    monkeypatch.setattr(strategies, "search", attended)
    given = {"columns": {"note": "text"}, "encoders": {"note": "text_minilm"}, "cache": tmp_path, "budget": "1s"}
    with pytest.raises(_EnoughError):
        compare(table, "kind", strategies=["feature:sum"], **given)
    assert counts[0]["encoded"] > 0
    assert counts[0] == counts[1]


def test_one_view_has_nothing_to_search(table):
    result = compare(table[["size", "kind"]], "kind", budget="5s")
    assert "tried" not in result.settings
