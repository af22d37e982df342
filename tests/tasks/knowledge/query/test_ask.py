"""Queries: exact answers as brute force gives them, chances as products of edges, text read or refused in one line."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusible.data.graph import Graph, read_graph
from fusible.errors import ConfigError, TooLargeError
from fusible.tasks.knowledge.query import _join
from fusible.tasks.knowledge.query._chances import Foreseen, calibrated
from fusible.tasks.knowledge.query._text import parse
from fusible.tasks.knowledge.query.ask import query_graph
from fusible.tasks.knowledge.rules.mined import mine_rules

ENTITIES, RELATIONS = 5, 2
NAMES = [f"e{i}" for i in range(ENTITIES)]

facts = st.sets(
    st.tuples(st.integers(0, ENTITIES - 1), st.integers(0, RELATIONS - 1), st.integers(0, ENTITIES - 1)),
    min_size=1,
    max_size=18,
)
terms = st.sampled_from(["?a", "?b", "?c", *NAMES])
atoms = st.lists(st.tuples(st.sampled_from(["r0", "r1"]), terms, terms), min_size=1, max_size=4)


def graph_of(triples):
    rows = np.array(sorted(triples), np.int64).reshape(-1, 3)
    return Graph(tuple(NAMES), ("r0", "r1"), rows, {"train": np.arange(len(rows))})


def brute(triples, parts, asked):
    """Answers of a query by trying every entity for every variable."""
    names = sorted({term for _, *ends in parts for term in ends if term[0] == "?"})
    found = set()
    for values in itertools.product(NAMES, repeat=len(names)):
        bound = dict(zip(names, values, strict=True))
        ends = [(relation, bound.get(head, head), bound.get(tail, tail)) for relation, head, tail in parts]
        if all((int(head[1]), int(relation[1]), int(tail[1])) in triples for relation, head, tail in ends):
            found.add(tuple(bound[name] for name in asked))
    return found


@settings(max_examples=60, deadline=None)
@given(facts, atoms, st.data())
def test_exact_answers_are_those_of_brute_force(triples, parts, data):
    names = sorted({term for _, *ends in parts for term in ends if term[0] == "?"})
    asked = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    text = " ∧ ".join(f"{relation}({head}, {tail})" for relation, head, tail in parts)
    found = query_graph(graph_of(triples), f"{', '.join(asked)}: {text}" if asked else text, k=None)
    asked = [f"?{name}" for name in found.query.asked]
    assert sorted(answer.values for answer in found.answers) == sorted(brute(triples, parts, asked))
    for answer in found.answers:
        assert answer.known
        assert answer.score == 1
        assert len(answer.path) == len(parts)


@settings(max_examples=15, deadline=None)
@given(facts, atoms)
def test_exact_answers_are_among_predicted_ones_and_come_first(triples, parts):
    graph = graph_of(triples)
    text = " ∧ ".join(f"{relation}({head}, {tail})" for relation, head, tail in parts)
    exact = query_graph(graph, text, k=None)
    both = query_graph(graph, text, k=None, by=mine_rules(graph, min_support=1, min_confidence=0.0))
    first = [answer.values for answer in both.answers if answer.known]
    assert sorted(first) == sorted(answer.values for answer in exact.answers)
    scores = [answer.score for answer in both.answers]
    assert scores == sorted(scores, reverse=True)
    for answer in both.answers:
        assert answer.score == pytest.approx(np.prod([hop.chance for hop in answer.path]))


@pytest.fixture(scope="module")
def people():
    """Who is born in a city of a land is its citizen; of the last one the graph does not say so."""
    rows = [(f"p{n}", "born in", f"city {n % 4}") for n in range(24)]
    rows += [(f"city {n}", "city of", f"land {n % 2}") for n in range(4)]
    rows += [(f"p{n}", "citizen of", f"land {n % 2}") for n in range(23)]
    rows += [("p22", "knows", "p23"), ("p1", "knows", "p1")]
    return read_graph(pd.DataFrame(rows, columns=["head", "relation", "tail"]))


def test_edges_that_lack_are_foretold_by_rules(people):
    rules = mine_rules(people, constants=False)
    query = "?x: knows(p22, ?x) & citizen of(?x, 'land 1')"
    assert len(query_graph(people, query)) == 0
    answer = query_graph(people, query, by=rules).answers[0]
    assert answer.values == ("p23",)
    assert [hop.known for hop in answer.path] == [True, False]
    assert answer.path[1].by == "born in(x, y) ∧ city of(y, z) → citizen of(x, z)"
    assert answer.score == pytest.approx(23 / (24 + 5), abs=1e-2)
    assert str(answer.path[1]).startswith("citizen of(p23, land 1) [0.79 by born in(x, y)")
    frame = query_graph(people, query, by=rules).to_frame()
    assert frame.columns.tolist() == ["?x", "score", "known", "path"]


def test_loops_and_circles_are_answered(people):
    assert [one.values for one in query_graph(people, "knows(?x, ?x)").answers] == [("p1",)]
    found = query_graph(people, "?x, ?y: born in(?x, ?c), city of(?c, ?y), citizen of(?x, ?y)", k=None)
    assert len(found) == 23
    assert query_graph(people, "knows(p22, p23)").answers[0].values == ()
    assert query_graph(people, "knows(p23, p22)").answers == []
    twice = query_graph(people, "?x: knows p1 and knows p1")
    assert [one.values for one in twice.answers] == [("p1",)]


def test_variables_may_be_called_anything(people):
    text = "?{0}, ?{1}, ?{2}: 'born in'(?{0}, ?{1}) & 'citizen of'(?{0}, ?{2}) & 'city of'(?{1}, ?{2})"
    for by in (None, mine_rules(people)):
        plain = query_graph(people, text.format("a", "b", "c"), by=by, k=None)
        other = query_graph(people, text.format("count", "place", "own"), by=by, k=None)
        assert len(plain)
        assert [answer.values for answer in other.answers] == [answer.values for answer in plain.answers]


def test_names_may_hold_marks_and_are_read_again():
    rows = [('say "hi"', "a {b} 'q'", "back\\slash, yes")]
    graph = pd.DataFrame(rows, columns=["head", "relation", "tail"])
    found = query_graph(graph, '?x: "a {b} \'q\'"(?x, "back\\\\slash, yes")')
    assert [answer.values for answer in found.answers] == [('say "hi"',)]
    again = query_graph(graph, str(found.query))
    assert again.query.atoms[0].tail.name == found.query.atoms[0].tail.name == rows[0][2]
    assert parse(str(found.answers[0].path[0])).atoms[0].head.name == rows[0][0]


def test_parts_without_a_shared_variable_are_combined(people):
    found = query_graph(people, "?x, ?y: ?x knows p23 & ?y 'city of' 'land 0'", k=None)
    assert {one.values for one in found.answers} == {("p22", "city 0"), ("p22", "city 2")}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("?x: born_in France ∧ works_at ?y", "?x: born_in(?x, France) ∧ works_at(?x, ?y)"),
        ("?x:born_in France and works_at ?y", "?x: born_in(?x, France) ∧ works_at(?x, ?y)"),
        ("?x born_in France", "?x: born_in(?x, France)"),
        ("lives in(?x, New York) , 'knows'(?x,?y)", "?x, ?y: lives in(?x, New York) ∧ knows(?x, ?y)"),
        ("?b, ?a: r(?a, \"a, \\\"b\\\" (c)\") & s(?a, ?b)", '?b, ?a: r(?a, "a, \\"b\\" (c)") ∧ s(?a, ?b)'),
        ("?x: part_of O'Hare", '?x: part_of(?x, "O\'Hare")'),
        ("r(Trinidad and Tobago, ?x)", "?x: r(Trinidad and Tobago, ?x)"),
        ("?x: http://a/b#c ?y", '?x: "http://a/b#c"(?x, ?y)'),
    ],
)  # fmt: skip
def test_text_is_read(text, read):
    assert str(parse(text)) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "character 1: nothing here; expected relation"),
        ("?x:", "character 4: nothing here"),
        ("?x: r a &", "character 10: nothing here"),
        ("?x: & r a", "character 5: nothing here"),
        ("r(?x, a", "character 1: expected relation(term, term)"),
        ("r(?x, a, b)", "character 1: expected relation(term, term)"),
        ("r(?x, )", "character 1: a name is missing"),
        ("r(?x, a) b", "character 1: expected relation(term, term)"),
        ("?x: lives in New York", "character 5: 4 words; expected term relation term"),
        ("knows p1", "character 1: 2 words"),
        ("?x: ?r p1", "character 5: ?r: a relation must be named"),
        ("?x: r 'a", 'character 7: "\'": a quote that does not end'),
        ("?: r a", "character 1: '?': a variable needs a name"),
        ("?y: ?x r a", "?y is asked for but stands in no part"),
        ("r(?x ?y, a)", "character 3: '?x ?y': expected one name or ?x"),
        (" & ".join(["?x r a"] * 21), "more than 20 parts"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, said):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("?x: 'born' 'city 1'", "no relation 'born' in this graph (query, character 5): did you mean 'born in'"),
        ("born in(?x, citty 1)", "no entity 'citty 1' in this graph (query, character 13): did you mean 'city 1'"),
        ("born in(?x, CITY 3)", "did you mean 'city 3'"),
        ("born in(?x, zzz)", "none of 30 is near it"),
    ],
)
def test_names_that_are_not_there_are_refused_with_near_ones(people, text, said):
    with pytest.raises(ConfigError) as caught:
        query_graph(people, text)
    assert said in str(caught.value)


def test_what_is_too_large_is_refused(people, monkeypatch):
    monkeypatch.setattr(_join, "MOST", 100)
    with pytest.raises(TooLargeError, match=r"more than 100 bindings at 'citizen of|more than 100 bindings at"):
        query_graph(people, "?x, ?y: born in(?x, ?a) & born in(?y, ?b)")
    assert len(query_graph(people, "?x: born in(?x, ?a) & city of(?a, ?b)", k=None)) == 24


@pytest.mark.parametrize("given", [{"k": 0}, {"beam": 0}])
def test_bounds_are_checked(people, given):
    with pytest.raises(ConfigError, match="expected whole numbers of at least 1"):
        query_graph(people, "knows(?x, ?y)", **given)


class Guessing:
    """A model that gives what follows in a circle nine times the share of others, right or wrong."""

    relations = ("next",)

    def __init__(self, held):
        """Who is next to whom is trained on but for a few; of `held` the graph says them, of the others it does not."""
        self.entities = tuple(f"e{i}" for i in range(40))
        apart = np.arange(40) % 4 == 0
        self.triples = np.array([(i, 0, (i + 1) % 40) for i in range(40) if not apart[i] or i in held])
        self.trained = np.array([not apart[i] for i in self.triples[:, 0]])
        self.triples = np.concatenate([self.triples, [(i, 0, (i + 9) % 40) for i in range(40)]])
        self.trained = np.append(self.trained, np.ones(40, bool))

    def scores(self, queries):
        shares = np.full((len(queries), 40), 0.1 / 38)
        for row, (entity, kind) in enumerate(queries.tolist()):
            for step in (1, 9):
                shares[row, (entity + (step if kind == 0 else -step)) % 40] = 0.45
        return np.log(shares)


def test_chances_of_a_model_are_calibrated_on_what_was_not_trained_on():
    """Two of five that are likely are told by held-out triples: such is the chance of the likely ones."""
    model = Guessing(held={0, 8, 16, 24})
    weights = calibrated(model)
    assert weights.shape == (4,)
    found = Foreseen(model, (*model.entities, "stranger"), ("other", "next"))(
        np.array([[4, 1], [40, 1], [4, 0], [5, 3]])
    )
    assert found.shape == (4, 41)
    assert found[0, 5] == pytest.approx(0.4, abs=0.12)
    assert np.delete(found[0], [5, 13]).max() < 0.02
    assert found[3, 4] == pytest.approx(0.4, abs=0.12)
    assert (found[[1, 2]] == 0).all()
    model.trained[:] = True
    assert calibrated(model) is None
    assert Foreseen(model, model.entities, ("next",))(np.array([[4, 0]]))[0, 5] == pytest.approx(0.9)


class OneSided(Guessing):
    """Forth it knows nothing; back it does."""

    def scores(self, queries):
        found = super().scores(queries)
        found[queries[:, 1] == 0] = np.log(1 / 40)
        return found


@pytest.mark.parametrize("text", ["?x: next(?x, e5)", "?x: next(?x, ?y) & next(?y, e6)"])
def test_scores_are_those_that_answers_are_ordered_by_whatever_end_was_asked(text):
    model = OneSided(held=set())
    model.trained[:] = True
    known = Graph(model.entities, model.relations, model.triples[:4], {"train": np.arange(4)})
    answers = query_graph(known, text, by=model, k=None).answers
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(not answer.known and answer.score > 0.5 for answer in answers) >= 1
    assert min(scores) >= 0.01 ** len(answers[0].path)
