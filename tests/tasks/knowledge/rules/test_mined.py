"""Rules: figures as brute force counts them, evidence as the rules that fire give, reasons that are in the graph."""

import itertools
import math
from collections import Counter, defaultdict
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.data.graph import Graph, read_graph
from fusible.errors import ConfigError, DataError
from fusible.tasks.knowledge.rules import _constants, _mine, _paths
from fusible.tasks.knowledge.rules.mined import Rules, mine_rules

ENTITIES, RELATIONS = 6, 2


def graph_of(triples):
    rows = np.array(sorted(triples), np.int64).reshape(-1, 3)
    names = tuple(f"e{i}" for i in range(ENTITIES)), tuple(f"r{i}" for i in range(RELATIONS))
    return Graph(*names, rows, {"train": np.arange(len(rows))})


graphs = st.sets(
    st.tuples(st.integers(0, ENTITIES - 1), st.integers(0, RELATIONS - 1), st.integers(0, ENTITIES - 1)),
    min_size=4,
    max_size=22,
).map(graph_of)


def edges(graph):
    """Steps between two entities, forth and back, without loops."""
    found = defaultdict(set)
    for head, kind, tail in graph.triples.tolist():
        if head != tail:
            found[kind].add((head, tail))
            found[kind + RELATIONS].add((tail, head))
    return found


def joined(steps, body):
    """Pairs that a body joins, and one path of each, by trying all entities."""
    found = {}
    for path in itertools.permutations(range(ENTITIES), len(body) + 1):
        if all((path[i], path[i + 1]) in steps[step] for i, step in enumerate(body)):
            found.setdefault((path[0], path[-1]), []).append(path)
    return found


def told(facts, pairs):
    """Pairs of whose functional side the relation is told."""
    heads, tails = {a for a, _ in facts}, {b for _, b in facts}
    return sum((a in heads) if len(heads) >= len(tails) else (b in tails) for a, b in pairs)


@pytest.mark.parametrize("dense", [True, False])
@settings(max_examples=8, deadline=None)
@given(graph=graphs)
def test_chains_and_figures_are_those_of_brute_force(dense, graph):
    steps = edges(graph)
    with patch.object(_paths, "DENSE", _paths.DENSE if dense else 0):
        rules = mine_rules(graph, min_support=2, min_confidence=0.3, most=10_000, constants=False)
    found = {(rule.body, rule.head): rule for rule in rules.rules}
    wanted = set()
    for length in (1, 2, 3):
        for body in itertools.product(range(2 * RELATIONS), repeat=length):
            pairs = set(joined(steps, body))
            for head in range(RELATIONS):
                support = len(pairs & steps[head])
                if body == (head,) or support < 2 or support < 0.3 * len(pairs):
                    continue
                wanted.add((body, head))
                rule = found[body, head]
                assert (rule.support, rule.pairs, rule.sampled) == (support, len(pairs), False)
                assert rule.confidence == pytest.approx(support / len(pairs))
                assert rule.pca == pytest.approx(support / told(steps[head], pairs))
                assert rule.coverage == pytest.approx(support / len(steps[head]))
    assert set(found) == wanted


def test_of_many_good_bodies_few_are_held_and_the_first_of_equals_kept():
    rng, best, every = np.random.default_rng(0), _mine.Best(relations=2, most=3), []
    for prefix in itertools.product(range(6), repeat=2):
        steps, kinds = np.divmod(np.arange(12), 2)
        ranks = rng.integers(0, 5, 12) / 5
        best.add(prefix, steps, kinds, ranks)
        assert best._count + len(best.bodies) <= best.room + 2 * 3
        every += [((*prefix, step), kind, rank) for step, kind, rank in zip(steps, kinds, ranks, strict=True)]
    kept = best.kept()
    for relation in range(2):
        wanted = sorted((one for one in every if one[1] == relation), key=lambda one: (-one[2], one[0]))[:3]
        assert [body for body, kind in kept if kind == relation] == [body for body, *_ in wanted]


def test_rules_of_a_graph_where_nearly_all_holds_are_the_surest_of_all():
    drawn = np.random.default_rng(0).random((6, 4, 6)) < 0.7
    triples = np.argwhere(drawn)
    names = tuple(f"e{i}" for i in range(6)), tuple(f"r{i}" for i in range(4))
    graph = Graph(*names, triples, {"train": np.arange(len(triples))})
    every = mine_rules(graph, most=10**6, constants=False).rules
    few = mine_rules(graph, most=4, constants=False).rules
    with patch.object(_mine, "FAN", 0):
        assert mine_rules(graph, most=4, constants=False).rules == few
    for relation, length in itertools.product(range(4), (1, 2, 3)):
        mine = [[rule for rule in held if (rule.head, len(rule.body)) == (relation, length)] for held in (every, few)]
        assert mine[0][:4] == mine[1]


@pytest.mark.parametrize("pairs", [5, 10**6])
@settings(max_examples=8, deadline=None)
@given(graph=graphs)
def test_links_that_foretell_links_are_those_of_brute_force(pairs, graph):
    steps = edges(graph)
    links = [(step, end) for step in range(2 * RELATIONS) for end in range(ENTITIES)]
    having = {link: {a for a, b in steps[link[0]] if b == link[1]} for link in links}
    wanted = {}
    for first, then in itertools.product(links, links):
        body = having[first] - {then[1]}
        support = len(body & having[then])
        if first[1] != then[1] and support >= 2 and support >= 0.3 * len(body):
            known = sum(any(a == entity for a, _ in steps[then[0]]) for entity in body)
            wanted[first[0], first[1], then[0], then[1]] = (support, len(body), support / known)
    with patch.object(_constants, "PAIRS", pairs):
        rules = mine_rules(graph, min_support=2, min_confidence=0.3, most=10_000, length=1).rules
    found = {
        (rule.body[0], rule.names[0], rule.head, rule.names[1]): (rule.support, rule.pairs, rule.pca)
        for rule in rules
        if rule.names
    }
    assert found == wanted


@settings(max_examples=10, deadline=None)
@given(graphs)
def test_evidence_is_that_of_the_rules_that_explain(graph):
    rules = mine_rules(graph, min_support=2, min_confidence=0.2)
    queries = np.array(list(itertools.product(range(ENTITIES), range(2 * RELATIONS))))
    summed, surest = rules.score(queries, "noisy_or"), rules.score(queries)
    known = {tuple(row) for row in graph.triples.tolist()}
    for (entity, step), some, best in zip(queries.tolist(), summed, surest, strict=True):
        for other in range(ENTITIES):
            start, kind, end = (entity, step, other) if step < RELATIONS else (other, step - RELATIONS, entity)
            fired = list(rules._scoring.fired(start, kind, end, 1))
            own = [-math.log(1 - rule.chance) for rule, _ in fired]
            assert some[other] == pytest.approx(sum(own), rel=1e-4, abs=1e-6)
            assert best[other] == pytest.approx(max(own, default=0) + 1e-3 * sum(own), rel=1e-4, abs=1e-6)
            for _, grounds in fired:
                assert {fact for ground in grounds for fact in ground} <= known - {(start, kind, end)}


@pytest.fixture(scope="module")
def people():
    """Who is born in a city of a land is its citizen, all but one; spouses live in the same city, both ways."""
    rows = [(f"p{n}", "born in", f"city {n % 4}") for n in range(24)]
    rows += [(f"city {n}", "city of", f"land {n % 2}") for n in range(4)]
    rows += [(f"p{n}", "citizen of", f"land {n % 2}") for n in range(23)]
    rows += [(f"p{n}", "spouse", f"p{n + 4}") for n in range(0, 24, 8)]
    rows += [(f"p{n + 4}", "spouse", f"p{n}") for n in range(0, 24, 8)]
    return read_graph(pd.DataFrame(rows, columns=["head", "relation", "tail"]))


def test_rules_are_read_as_they_are_written(people):
    frame = mine_rules(people).to_frame().set_index("rule")
    first = frame.loc["born in(x, y) ∧ city of(y, z) → citizen of(x, z)"]
    assert (first["support"], first["pairs"], first["length"], first["head"]) == (23, 24, 2, "citizen of")
    assert (first["pca"], first["coverage"]) == (1.0, 1.0)
    assert frame.loc["spouse(y, x) → spouse(x, y)", "confidence"] == 1
    assert frame.loc["born in(x, city 1) → citizen of(x, land 1)", "support"] == 6
    assert frame["confidence"].min() >= 0.1


def test_an_answer_is_explained_by_known_triples(people):
    rules = mine_rules(people, constants=False)
    reason = rules.explain("p23", "citizen of", "land 1", most=1)[0]
    assert reason.triples == (("p23", "born in", "city 3"), ("city 3", "city of", "land 1"))
    assert str(reason).startswith("born in(p23, city 3) ∧ city of(city 3, land 1), by born in(x, y) ∧ city of(y, z)")
    query = np.array([[people.entities.index("p23"), people.relations.index("citizen of")]])
    assert people.entities[int(rules.score(query)[0].argmax())] == "land 1"
    assert rules.explain("p23", "citizen of", "city 1") == []
    assert rules.explain("p23", "citizen of", "p23") == []


def test_held_out_triples_are_not_mined(people):
    parts = {"train": np.arange(28), "test": np.arange(28, len(people))}
    rules = mine_rules(Graph(people.entities, people.relations, people.triples, parts))
    assert len(rules.triples) == 28
    assert not rules.to_frame()["head"].isin(["citizen of", "spouse"]).any()
    nothing = rules.score(np.array([[0, people.relations.index("spouse")]]))
    assert (nothing == 0).all()


def test_what_is_too_much_is_sampled_and_said_so(people, monkeypatch):
    monkeypatch.setattr(_mine, "RECOUNT", 20)
    rules = mine_rules(people, constants=False)
    lengths = Counter((rule.sampled, len(rule.body)) for rule in rules.rules)
    assert lengths[True, 3] > 0
    monkeypatch.setattr(_mine, "WALKS", 3_000)
    again = mine_rules(people, constants=False)
    assert isinstance(again, Rules)
    assert sum(len(rule.body) == 3 for rule in again.rules) > 0
    assert again.rules == mine_rules(people, constants=False).rules  # seeded


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"length": 4}, "length = 4, expected 1 to 3 steps"),
        ({"min_support": 0}, "min_support = 0"),
        ({"min_confidence": 1.5}, "min_confidence = 1.5"),
        ({"most": 0}, "most = 0"),
    ],
)
def test_settings_are_checked(people, given, said):
    with pytest.raises(ConfigError, match=said):
        mine_rules(people, **given)


def test_names_are_checked(people):
    rules = mine_rules(people)
    with pytest.raises(ConfigError, match="no relation 'born' in this graph: did you mean 'born in'"):
        rules.explain("p1", "born", "city 1")
    with pytest.raises(ConfigError, match="no entity 'land' in this graph: did you mean"):
        rules.explain("p1", "born in", "land")
    with pytest.raises(ConfigError, match="aggregation 'mean', expected one of surest, noisy_or"):
        rules.score(np.array([[0, 0]]), "mean")
    with pytest.raises(DataError, match="no train triples"):
        mine_rules(Graph(("a",), ("r",), np.zeros((0, 3), np.int64), {}))


def test_loops_and_relations_of_the_test_part_alone_give_no_rules():
    loops = np.array([[0, 0, 0], [1, 0, 1], [2, 0, 2], [0, 1, 1]])
    graph = Graph(("a", "b", "c"), ("r", "s"), loops, {"train": np.arange(3), "test": np.array([3])})
    rules = mine_rules(graph, min_support=1, min_confidence=0)
    assert len(rules) == 0
    assert rules.to_frame().empty
    assert (rules.score(np.array([[0, 0], [0, 1], [1, 3]])) == 0).all()
    assert rules.explain("a", "s", "b") == []
    with patch.object(_mine, "DENSE", 0), patch.object(_paths, "DENSE", 0):
        assert len(mine_rules(graph, min_support=1, min_confidence=0)) == 0


@pytest.mark.parametrize("dense", [0, 10**7])
def test_paths_from_a_few_entities_are_those_from_all(dense, monkeypatch):
    """However they are counted: from a few starts, where bodies share their beginnings, or as sparse matrices."""
    monkeypatch.setattr(_paths, "DENSE", dense)
    triples = np.unique(np.random.default_rng(3).integers(0, (7, 2, 7), (40, 3)), axis=0)
    paths = _paths.Paths(triples, 7, 2)
    starts = np.array([0, 2, 3, 6])
    leading = paths.leading(starts)
    for length in (3, 1, 2):
        for body in itertools.product(range(4), repeat=length):
            wanted = paths.pairs(body, starts).toarray() > 0
            for cells in (leading(body), paths.cells(body, starts)):
                found = np.zeros((4, 7), bool)
                found[cells] = True
                assert (found == wanted).all()
