"""Studies of several labels and of quantities, and the choice of a quantity's transform."""

import numpy as np
import pandas as pd
import pytest

from fusible.tasks.compare import compare, prepare
from fusible.tasks.transform import with_best_transform

WORDS = ["river", "stone", "cloud", "grass", "sheep", "plain"]
TEXTS = {"columns": {"left": "text", "right": "text"}, "encoders": {"left": "text_tfidf", "right": "text_tfidf"}}


def sentences(rng, marks):
    """One sentence per mark, with noise words around it."""
    return [" ".join(rng.permutation([mark, *rng.choice(WORDS, 3)])) for mark in marks]


@pytest.fixture(scope="module")
def several(tmp_path_factory, quick):
    """A multilabel study from JSON Lines: two labels, each told by one word; some rows have none, some no cell."""
    rng = np.random.default_rng(4)
    place = tmp_path_factory.mktemp("labels")
    on = rng.integers(0, 2, (120, 2))
    table = pd.DataFrame(
        {
            "left": sentences(rng, np.array(["sun", "moon"])[on[:, 0]]),
            "right": sentences(rng, np.array(["gold", "iron"])[on[:, 1]]),
            "tags": [[t for t, o in zip(("bright", "heavy"), row, strict=True) if o] for row in on],
        }
    )
    table.loc[:3, "tags"] = None
    table.to_json(place / "table.jsonl", orient="records", lines=True)
    table.to_parquet(place / "table.parquet")
    with quick():
        return place, [
            compare(place / f"table.{kind}", "tags", **TEXTS, cache=place / "cache") for kind in ("jsonl", "parquet")
        ]


def test_several_labels(several):
    _, (lines, parquet) = several
    assert (lines.task.kind, lines.task.classes) == ("multilabel", ("bright", "heavy"))
    assert lines.metric == "macro_f1"
    assert sum(lines.rows.values()) == 116
    assert "4 rows without a target are left out" in lines.settings["notes"]
    assert lines.truth.shape == (lines.rows["test"], 2)
    assert set(np.unique(lines.truth)) == {0, 1}
    for name, scores in lines.predictions.items():
        assert np.array_equal(scores, parquet.predictions[name])
        assert ((scores > 0) & (scores < 1)).all()
    left, right = lines.predictions["single:left"], lines.predictions["single:right"]
    assert ((left[:, 0] > 0.5) == lines.truth[:, 0]).mean() > 0.9
    assert ((right[:, 1] > 0.5) == lines.truth[:, 1]).mean() > 0.9
    stacked = lines.predictions["model:stacking"] > 0.5
    assert (stacked == lines.truth).mean() > 0.9


def test_several_labels_predict_lists(several):
    place, (lines, _) = several
    frame = lines.best.predict(place / "table.jsonl")
    assert list(frame.columns) == ["prediction", "probability_bright", "probability_heavy"]
    for labels, bright, heavy in frame.itertuples(index=False):
        assert labels == [n for n, p in (("bright", bright), ("heavy", heavy)) if p >= 0.5]


@pytest.fixture(scope="module")
def prices():
    """Prices over three orders of magnitude, log-linear in a number, with errors in proportion and a text of noise."""
    rng = np.random.default_rng(5)
    size = rng.normal(size=150)
    return pd.DataFrame(
        {
            "size": size,
            "rooms": np.round(np.exp(0.3 * size + 0.1 * rng.normal(size=150)) * 3),
            "left": sentences(rng, rng.choice(["sun", "moon"], 150)),
            "price": np.exp(10 + size + 0.6 * rng.normal(size=150)),
        }
    )


REGRESSION = {"columns": {"left": "text"}, "encoders": {"left": "text_tfidf"}}


class Line:
    """Stands for the trees: least squares on the number `size`, so that one transform fits far better."""

    def fit(self, values):
        pass

    def fit_target(self, values, target, task, valid, seed):
        self.line = np.polyfit(values["size"], target, 1)

    def predict_scores(self, values):
        return np.polyval(self.line, values["size"])[:, None]


@pytest.mark.parametrize(("curve", "wanted"), [(np.exp, "log"), (lambda z: z + 20, "identity")])
def test_the_transform_is_the_one_that_predicts_held_out_rows_better(prices, tmp_path, monkeypatch, curve, wanted):
    monkeypatch.setattr("fusible.encoders._resolve.resolve", lambda *_, **__: Line())
    table = prices.assign(price=curve(1.5 * prices["size"] + 0.05 * np.sin(40 * prices["size"])))
    context, views = prepare(table, "price", {"left": "text"}, None, None, 0, cache=tmp_path)
    with_best_transform(context, views)
    assert context.target.transform == wanted
    assert f"target transform: {wanted}, chosen on training rows" in context.notes


def test_a_heavy_tailed_quantity(prices, tmp_path, quick):
    with quick():
        found = compare(prices, "price", **REGRESSION, strategies=["model:average", "model:stacking"], cache=tmp_path)
    assert (found.task.kind, found.metric) == ("regression", "r2")
    assert found.settings["target"]["transform"] in {"log", "identity"}
    rows = {row.name: row for row in found.strategies}
    truth, given = found.truth, found.predictions["single:table"][:, 0]
    expected = 1 - ((truth - given) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert rows["single:table"].test.score == pytest.approx(expected)
    frame = found.best.predict(prices)
    assert list(frame.columns) == ["prediction"]
    assert np.corrcoef(np.log(frame["prediction"]), np.log(prices["price"]))[0, 1] > 0.5


def test_rows_are_scored_against_their_true_values_however_far_from_training_ones(prices, tmp_path, quick):
    table = prices.assign(part=["train"] * 90 + ["valid"] * 20 + ["test"] * (len(prices) - 110))
    table = table.rename(columns={"part": "split"})
    table.loc[len(table) - 1, "price"] = 1000 * table["price"].max()
    with quick():
        found = compare(
            table,
            "price",
            **REGRESSION,
            strategies=["model:average"],
            keep="model:average",
            metric="mae",
            cache=tmp_path,
        )
    test = table.iloc[110:]
    np.testing.assert_allclose(found.truth, test["price"])
    assert found.strategy(found.auto).test.score == pytest.approx(found.best.evaluate(test)["score"]["score"], rel=1e-6)
    assert found.attribution.value == pytest.approx(found.strategy(found.auto).test.score, rel=1e-6)


def test_a_plain_quantity_is_learned_as_it_is(prices, tmp_path, quick):
    table = prices.assign(price=np.log(prices["price"]) - 10)
    with quick():
        found = compare(table, "price", **REGRESSION, strategies=["single:table"], cache=tmp_path)
    assert found.settings["target"]["transform"] == "identity"


def test_without_a_table_the_skewness_decides(prices, tmp_path):
    for values, wanted in ((prices["price"], "log"), (np.log(prices["price"]), "identity")):
        table = prices.drop(columns=["size", "rooms"]).assign(price=values)
        context, views = prepare(table, "price", {"left": "text"}, None, None, 0, cache=tmp_path)
        with_best_transform(context, views)
        assert context.target.transform == wanted
        train = context.split.train
        assert context.learned[train].mean() == pytest.approx(0, abs=1e-9)
        assert context.learned[train].std() == pytest.approx(1)
        np.testing.assert_allclose(context.target.original(context.learned), values)
