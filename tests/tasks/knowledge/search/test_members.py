"""Full text, walks and fusion against direct computations."""

import math

import networkx as nx
import numpy as np
import pytest
from _founders import stored, table
from scipy.optimize import check_grad
from scipy.special import softmax
from sklearn.feature_extraction.text import CountVectorizer

from fusible.errors import ConfigError
from fusible.tasks.knowledge.search import fusion as fusion_module
from fusible.tasks.knowledge.search.bm25 import K1, B, Bm25, stems
from fusible.tasks.knowledge.search.documents import OWN, word_counts
from fusible.tasks.knowledge.search.fusion import Fusion, _Rivals, choose_fusion, fit_fusion, rank_of
from fusible.tasks.knowledge.search.relations import Asked, Ends, sharpened
from fusible.tasks.knowledge.search.source import searchable
from fusible.tasks.knowledge.search.walk import FLOOR, RESTART, STEP, Walks


def test_full_text_is_bm25():
    texts = ["wax wax candle", "candle town", "town hall of the town"]
    counter = CountVectorizer(analyzer=stems)
    found = Bm25(counter, counter.fit_transform(texts)).scores("candle wax, and nothing known")
    usual = 8 / 3  # words that tell, per document

    def term(count, having, length):
        rarity = math.log(1 + (3 - having + 0.5) / (having + 0.5))
        return rarity * count * (K1 + 1) / (count + K1 * (1 - B + B * length / usual))

    expected = [term(2, 1, 3) + term(1, 2, 3), term(1, 2, 2), 0.0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_documents_are_counted_as_if_they_were_written(tmp_path):
    held = searchable(stored(tmp_path / "g"))
    counter, counts = word_counts(held)
    written = [[*stems(" ".join(names))] * int(OWN) for names in held.names]
    for place, types in enumerate(held.types):
        written[place] += stems(" ".join(types)) * int(OWN)
    for row, (head, kind, tail) in enumerate(held.triples.tolist()):
        for own, other in ((head, tail), (tail, head)):
            written[own] += stems(held.labels[kind]) + stems(" ".join(held.names[other]))
            written[own] += stems(held.mentions["sentence"][row])
    expected = np.zeros(counts.shape)
    for place, words in enumerate(written):
        for word in words:
            expected[place, counter.vocabulary_[word]] += 1
    np.testing.assert_array_equal(counts.toarray(), expected)


@pytest.fixture(scope="module")
def walks():
    held = searchable(table())
    confidence = np.linspace(0.5, 1.0, len(held.triples))
    return held, confidence, Walks(held.triples, confidence, len(held), len(held.labels))


def test_walks_are_personalised_pagerank(walks):
    held, confidence, walk = walks
    chances = np.array([0.7, 0.1, 0.1, 0.05, 0.05])
    graph = nx.DiGraph()
    for (head, kind, tail), sure in zip(held.triples.tolist(), confidence, strict=True):
        weight = (FLOOR + (1 - FLOOR) * chances[kind] / 0.7) * sure
        graph.add_edge(head, tail, weight=weight)
        graph.add_edge(tail, head, weight=weight)
    start = held.graph.entities.index("physicist")
    expected = nx.pagerank(graph, alpha=1 - RESTART, personalization={start: 1.0}, tol=1e-12, max_iter=500)
    found = walk.ranked({start: 1.0}, walk.weights(chances))
    assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, [expected[place] for place in range(len(held))], atol=0.7**12)


def test_paths_are_the_cheapest(walks):
    held, _, walk = walks
    weights = walk.weights(np.array([0.7, 0.1, 0.1, 0.05, 0.05]))
    names = held.graph.entities
    start, end = names.index("physicist"), names.index("Cero")
    path, nowhere = walk.paths([start], [end, start], weights)[0]
    said = [tuple(held.graph.entities[place] for place in held.triples[row][[0, 2]]) for row in path]
    assert said == [("Cy Dunn", "physicist"), ("Cero", "Cy Dunn")]
    assert nowhere == []
    assert STEP > 0
    lonely = Walks(np.array([[0, 0, 0], [1, 0, 2]]), np.ones(2), 4, 1)
    assert lonely.paths([0], [1, 3], lonely.weights(np.ones(1))) == [[[], []]]  # a loop, and nothing at all


def test_relations_lead_from_those_near(walks):
    held, _, walk = walks
    ends = held.triples[held.triples[:, 1] == held.labels.index("occupation")]
    near = walk.near(held.graph.entities.index("Acme"))
    assert near[held.graph.entities.index("Acme")] == 0
    expected = np.zeros(len(held))
    for head, _, tail in ends:
        expected[tail] += near[head] / (ends[:, 0] == head).sum()
    np.testing.assert_allclose(walk.led(near, held.labels.index("occupation")), expected)
    back = np.zeros(len(held))
    for head, _, tail in ends:
        back[head] += near[tail] / (ends[:, 2] == tail).sum()
    np.testing.assert_allclose(walk.led(near, held.labels.index("occupation") + len(held.labels)), back)


def test_pairs_that_stand_out_are_kept():
    found = sharpened([Asked(0, 1, 0.6), Asked(0, 2, 0.3), Asked(0, 6, 0.6)])
    assert [(pair.slot, round(pair.chance, 2)) for pair in found] == [(1, 0.5), (6, 0.5)]
    assert sharpened([]) == []


def test_ends_that_an_entity_has_fit_and_those_of_its_like_nearly():
    triples = np.array([[0, 0, 3], [1, 0, 3], [0, 1, 4], [1, 1, 4], [2, 0, 3]])
    ends = Ends(triples, 5, 2)
    fitting = ends.fitting(2)  # has relation 0 only; two of three with it have relation 1, too
    np.testing.assert_allclose(fitting[:2], [1.0, 2 / 3])
    assert fitting[2:].max() < 0.01
    np.testing.assert_allclose(ends.usual.toarray()[:, 0], [0, 0, 0, 1.0, 0])


def drawn(count=200, entities=20, seed=0):
    """Questions whose answer the first member tells well, the second badly, the third not at all."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, entities, count).tolist()
    features = []
    for answer in answers:
        own = rng.random((3, entities))
        own[0, answer] += 0.7
        own[1, answer] += 0.2
        features.append(dict(zip(("text", "walk", "types"), own, strict=True)))
    return features, answers, [np.zeros(0, np.int64)] * count


def test_weights_say_what_members_are_worth():
    fusion = fit_fusion(*drawn(), ("text", "walk", "types"))
    assert fusion.weights["text"] > fusion.weights["walk"] >= fusion.weights["types"] >= 0
    best = np.mean([1 / rank_of(fusion.scores(held), answer, ()) for held, answer, _ in zip(*drawn(), strict=True)])
    alone = np.mean([1 / rank_of(held["text"], answer, ()) for held, answer, _ in zip(*drawn(), strict=True)])
    assert best >= alone


def test_the_slope_of_the_loss_is_right():
    table = _Rivals(*drawn(40), ("text", "walk", "types"))
    weights = np.array([2.0, 1.0, 0.5])
    error = check_grad(lambda w: table.loss(w)[0], lambda w: table.loss(w)[1], weights)
    assert error < 1e-5


def test_the_loss_is_that_of_a_softmax_and_ranks_those_of_one_question():
    features, answers, others = drawn(30)
    names, weights = ("text", "walk", "types"), np.array([3.0, 1.0, 0.0])
    table = _Rivals(features, answers, others, names)
    scores = [np.stack([held[name] for name in names], 1) @ weights for held in features]
    chances = [softmax(one)[answer] for one, answer in zip(scores, answers, strict=True)]
    assert table.loss(weights)[0] == pytest.approx(-np.log(chances).mean() + 1e-3 * 10)
    ranks = [rank_of(one, answer, other) for one, answer, other in zip(scores, answers, others, strict=True)]
    assert table.reciprocal(weights) == pytest.approx(np.mean(1 / np.array(ranks)))


def test_the_best_rule_is_chosen_out_of_fold():
    features, answers, others = drawn()
    wrong = Fusion("weights", {"types": 1.0})
    fusion, scores = choose_fusion(features, answers, others, ("text", "walk", "types"), wrong)
    assert max(scores, key=scores.get) == "weights"
    assert fusion.weights["text"] > 0
    ranks = [rank_of(fusion.scores(held), answer, other) for held, answer, other in zip(*drawn(seed=1), strict=True)]
    assert np.mean(1 / np.array(ranks)) > scores["given"] + 0.1


def test_the_same_question_is_not_learned_from_and_asked(monkeypatch):
    features, answers, others = drawn(count=10)
    fitted = []

    def noted(held, *_):
        fitted.append({id(one) for one in held})
        return Fusion("weights", {"text": 1.0})

    monkeypatch.setattr(fusion_module, "fit_fusion", noted)
    choose_fusion(features * 4, answers * 4, others * 4, ("text", "walk"), Fusion(), asked=[*"abcdefghij"] * 4)
    first, second = fitted[:2]
    assert not first & second
    assert len(first | second) == 10


def test_ranks_are_reciprocal():
    found = Fusion("ranks", {"text": 2.0}).scores({"text": np.array([0.9, 0.0, 0.5]), "walk": np.ones(3)})
    np.testing.assert_allclose(found, [2.0, 0.0, 2.0 * 61 / 62])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rule": "best"}, "fusion rule 'best'"),
        ({"weights": {"luck": 1.0}}, "no member 'luck'"),
        ({"weights": {"text": 10**400}}, "weights from 0 to"),
        ({"weights": {"text": -1.0}}, "weights from 0 to"),
        ({"weights": {"text": float("nan")}}, "weights from 0 to"),
    ],
)
def test_bad_fusions_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        Fusion(**given)


def test_a_table_without_words_is_searched_without_them():
    held = searchable(table([("!", "?", "-")]))
    counter, counts = word_counts(held)
    assert Bm25(counter, counts).scores("anything").tolist() == [0.0, 0.0]
