"""Scores of several studies in one table, ranked where every study has them."""

import json

import numpy as np

from fusible.evaluation.several import BEST_SINGLE, TableStudy, several


def study(scores, best, metric="accuracy", verdict="no evidence"):
    """The object of a study with these test scores."""
    rows = [{"name": name, "test": {"score": score, "low": 0, "high": 1}} for name, score in scores.items()]
    return {
        "task": "binary" if metric == "accuracy" else "regression",
        "metric": metric,
        "target": "y",
        "rows": {"train": 8, "valid": 1, "test": 1},
        "strategies": rows,
        "best_single": best,
        "auto": best,
        "verdict": verdict,
        "difference": {"mean": 0.0, "low": 0.0, "high": 0.0, "p_better": 0.5},
        "statement": "No evidence.",
    }


def test_only_shared_strategies_are_ranked_and_the_best_single_takes_part():
    first = study(
        {"single:a": 0.6, "single:t": 0.7, "model:x": 0.8, "auto": 0.8, "model:y": 0.1}, "single:t", "accuracy"
    )
    second = study({"single:b": 0.9, "single:t": 0.5, "model:x": 0.7, "auto": 0.9}, "single:b", verdict="helps")
    result = several([TableStudy("one", "one.csv", first), TableStudy("two", "two.csv", second)])
    ranks = dict(zip(result.ranking.strategies, result.ranking.ranks, strict=True))
    assert set(ranks) == {BEST_SINGLE, "single:t", "model:x", "auto"}
    # first table: model:x and auto 1.5, single:t and the best single (the same) 3.5; second: auto and b 1.5, then 3, 4
    assert ranks == {"auto": 1.5, "model:x": 2.25, BEST_SINGLE: 2.5, "single:t": 3.75}
    assert result.ranking.test == "wilcoxon"
    assert result.frame.loc["one", BEST_SINGLE] == 0.7
    assert np.isnan(result.frame.loc["two", "model:y"])
    assert result.statement.startswith("Fusion helps on 1 of 2 data sets. ")


def test_of_an_error_the_smallest_is_best_and_only_signs_count():
    errors = [study({"single:a": 9.0 + k, "model:x": 1.0 + k}, "single:a", "rmse") for k in range(3)]
    ranking = several([TableStudy(str(k), "", found) for k, found in enumerate(errors)]).ranking
    assert ranking.strategies[0] == "model:x"
    assert ranking.test == "sign"


def test_unlike_metrics_only_signs_count():
    mixed = [study({"single:a": 0.5, "model:x": 0.6}, "single:a", metric) for metric in ("accuracy", "r2")]
    assert several([TableStudy(m["metric"], "", m) for m in mixed]).ranking.test == "sign"


def test_a_score_that_is_not_finite_leaves_the_strategy_out():
    first, second = (
        study({"single:a": 0.6, "model:x": None}, "single:a"),
        study({"single:a": 0.5, "model:x": 0.6}, "single:a"),
    )
    result = several([TableStudy("one", "", first), TableStudy("two", "", second)])
    assert "model:x" not in result.ranking.strategies
    assert result.to_json()["studies"][0]["strategies"][1]["test"]["score"] is None


def test_nothing_to_rank():
    first, second = study({"single:a": 0.6}, "single:a"), study({"single:b": 0.5}, "single:b")
    result = several([TableStudy("one", "", first), TableStudy("two", "", second)])
    assert result.ranking is None
    assert result.to_json()["ranks"] == {}
    assert result.statement == "Fusion helps on 0 of 2 data sets."


def test_the_object_is_plain_and_whole():
    found = [study({"single:a": 0.5, "model:x": 0.6}, "single:a", verdict="hurts")] * 2
    result = several([TableStudy(n, f"{n}.csv", s, n) for n, s in zip("ab", found, strict=True)], "fusible compare")
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert [s["name"] for s in plain["studies"]] == ["a", "b"]
    assert plain["studies"][1]["folder"] == "b"
    assert plain["studies"][0]["strategies"][1]["name"] == "model:x"
    assert plain["ranks"] == {"model:x": 1.0, "single:a": 2.5, BEST_SINGLE: 2.5}
    assert plain["ranking"]["decides"] is False
    assert "hurts on 2" in plain["statement"]
    assert "a" in repr(result)
    assert "<table" in result._repr_html_()


def test_one_study_has_no_ranks():
    assert several([TableStudy("a", "", study({"single:a": 0.5, "model:x": 0.6}, "single:a"))]).ranking is None
