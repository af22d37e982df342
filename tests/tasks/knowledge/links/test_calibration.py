"""Probabilities of triples: weights are right, few triples follow the rest, false ones are drawn as they should be."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from fusible.data.graph import read_graph
from fusible.errors import ConfigError, DataError
from fusible.evaluation.links import classified
from fusible.tasks.knowledge.links import _fitting
from fusible.tasks.knowledge.links._calibration import SIGNS, calibrate, evidence, probabilities
from fusible.tasks.knowledge.links._negatives import checked_negatives, corrupted, places_of
from fusible.tasks.knowledge.links.fit import LinkSettings, fit_links


def test_evidence_is_what_scores_say_of_either_end_and_what_training_counts():
    scores = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]))
    train = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1]])
    triples = np.array([[0, 0, 2], [1, 0, 1]])  # 2 is no tail in training, 1 is one of two heads
    found = evidence(lambda queries: scores[queries[:, 0]], np.array([-0.5, -2.0]), triples, train, relations=2)
    tails = [[np.log(0.2), np.log(3), np.log(2), 0.0], [np.log(0.2), np.log(2), np.log(2), np.log(3)]]
    heads = [[np.log(0.6), 0.0, 0.0, np.log(2)], [np.log(0.2), np.log(2), np.log(3), np.log(2)]]
    np.testing.assert_allclose(found, np.column_stack([tails, heads, [-0.5, -2.0]]))


@pytest.fixture(scope="module")
def drawn():
    """Two relations whose truth follows known weights, and a third with a single triple."""
    random = np.random.default_rng(0)
    signs = random.normal(3.0, 2.0, (8_000, SIGNS))
    kinds = random.integers(0, 2, 8_000)
    kinds[0] = 2
    weights = np.zeros((3, SIGNS + 1))
    weights[:2, [0, 3, SIGNS]] = [[1.0, 0.5, -4.0], [1.0, -0.5, 1.0]]
    chance = probabilities(weights, signs, kinds)
    return signs, kinds, (random.random(8_000) < chance).astype(int), weights, chance


def test_weights_are_those_that_truth_follows(drawn):
    signs, kinds, truth, weights, chance = drawn
    found, held = calibrate(signs, kinds, truth, 4)
    np.testing.assert_allclose(found[:2], weights[:2], atol=0.5)
    assert np.abs(probabilities(found, signs, kinds) - chance).mean() < 0.02
    assert np.abs(held - chance).mean() < 0.03
    one, none = (probabilities(found, signs, np.full(len(signs), kind)) for kind in (2, 3))
    assert np.abs(one - none).mean() < 0.25  # a single triple: much as a relation that nobody asked for
    scores = classified(truth, held)
    assert scores["ece"].score < 0.03
    assert scores["accuracy"].low <= (np.abs(truth - chance) < 0.5).mean() + 0.01


def test_a_relation_without_triples_follows_all():
    signs = np.linspace(-3, 3, 200)[:, None] * np.ones(SIGNS)
    truth = (np.random.default_rng(0).random(200) < expit(signs[:, 0])).astype(int)
    found, _ = calibrate(signs, np.zeros(200, int), truth, 2)
    assert (np.diff(probabilities(found, signs, np.ones(200, int))) > 0).all()


def test_metrics_of_classification_are_those_of_a_count():
    scores = classified(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.1, 0.2]))
    assert scores["accuracy"].score == 0.75
    assert scores["f1"].score == pytest.approx(2 / 3)
    assert scores["auroc"].score == 1.0
    assert scores["ece"].score == pytest.approx(np.mean([0.1, 0.6, 0.1, 0.2]))


@pytest.fixture(scope="module")
def graph():
    rows = [(f"p{n}", "lives in", f"town {n % 3}", "valid" if n > 20 else "train") for n in range(24)]
    rows += [(f"p{n}", "knows", f"p{(n + 1) % 24}", "test" if n == 23 else "train") for n in range(24)]
    return read_graph(pd.DataFrame(rows, columns=["head", "relation", "tail", "split"]))


def test_false_triples_are_of_entities_that_the_relation_has_and_not_known(graph):
    valid = np.repeat(graph.part("valid"), 50, axis=0)
    found = corrupted(valid, graph, graph.triples, seed=0)
    assert len(found) == len(valid)
    assert not set(map(tuple, found.tolist())) & set(map(tuple, graph.triples.tolist()))
    assert (found[:, 1] == valid[:, 1]).all()
    changed = found != valid
    assert (changed.sum(axis=1) == 1).all()
    assert changed[:, 0].any()
    assert changed[:, 2].any()
    names = {graph.entities[place] for place in found[changed[:, 2], 2]}
    assert names <= {"town 0", "town 1", "town 2"}
    np.testing.assert_array_equal(found, corrupted(valid, graph, graph.triples, seed=0))


def test_where_everything_is_true_none_is_drawn():
    full = read_graph(pd.DataFrame([(a, "r", b) for a in "ab" for b in "ab"], columns=["head", "relation", "tail"]))
    assert corrupted(full.triples, full, full.triples, seed=0).shape == (0, 3)


def test_names_that_a_graph_lacks_are_one_line(graph):
    table = pd.DataFrame([("p1", "knows", "p2"), ("p1", "hates", "p2")], columns=["head", "relation", "tail"])
    with pytest.raises(DataError, match="negatives, triple 2: relation 'hates' is not in this graph"):
        places_of(table, graph.entities, graph.relations, "negatives")


def test_checked_triples_lie_beside_the_graph(tmp_path):
    assert checked_negatives(tmp_path) is None
    assert checked_negatives(pd.DataFrame()) is None
    (tmp_path / "valid_negatives.txt").write_text("a\tr\tb\n")
    assert checked_negatives(str(tmp_path)) == tmp_path / "valid_negatives.txt"


@pytest.fixture(scope="module")
def links(graph):
    return fit_links(graph, settings=LinkSettings(width=8, batch=16, epochs=4, look=2), penalties=(0.01,))


def test_a_fitted_model_gives_probabilities_that_a_folder_keeps(graph, links, tmp_path):
    import fusible

    table = pd.DataFrame(
        [("p1", "lives in", "town 1"), ("p1", "lives in", "town 1"), ("p1", "lives in", "p2")],
        columns=["head", "relation", "tail"],
    )
    found = links.model.classify(table)
    assert found[["head", "relation", "tail"]].equals(table)
    assert found["known"].tolist() == [True, True, False]
    assert found["probability"].between(0, 1).all()
    assert found["probability"][0] > found["probability"][2]
    assert set(links.model.info["classification"]) == {"accuracy", "f1", "auroc", "ece", "true", "false"}
    links.model.save(tmp_path / "m")
    pd.testing.assert_frame_equal(fusible.load_links(tmp_path / "m").classify(table), found)


def test_false_triples_that_are_given_are_what_is_calibrated_on(graph, links, tmp_path, monkeypatch):
    (tmp_path / "false.tsv").write_text("p1\tlives in\ttown 2\np2\tknows\tp9\n")
    settings = LinkSettings(width=8, batch=16, epochs=2, look=1)
    found = fit_links(graph, settings=settings, penalties=(0.01,), negatives=tmp_path / "false.tsv")
    assert found.model.info["classification"]["false"] == 2
    (tmp_path / "false.tsv").write_text("p1\tlives in\tnowhere\n")
    monkeypatch.setattr(_fitting, "train", None)  # said before anything is trained
    with pytest.raises(DataError, match="negatives, triple 1: tail 'nowhere' is not in this graph"):
        fit_links(graph, settings=settings, penalties=(0.01,), negatives=tmp_path / "false.tsv")


def test_a_model_without_calibration_says_so(links):
    from dataclasses import replace

    with pytest.raises(ConfigError, match="fit it again"):
        replace(links.model, calibration=None).probabilities(links.model.triples[:1])
