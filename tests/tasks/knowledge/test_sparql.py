"""SPARQL over a graph: answers in names; updates and other machines are refused, however they are written."""

import pyarrow as pa
import pytest

from fusible.data.graph import read_graph
from fusible.errors import DataError

pytest.importorskip("pyoxigraph")

from fusible.tasks.knowledge.sparql import ask_graph


@pytest.fixture(scope="module")
def graph():
    rows = [("Ann", "lives in", "New York"), ("Bo", "lives in", "Ulm"), ("Ann", "knows", "Bo"), ("Bo", "service", "x")]
    return read_graph(pa.table(dict(zip(("head", "relation", "tail"), zip(*rows, strict=True), strict=True))))


@pytest.mark.parametrize(
    ("query", "columns", "rows"),
    [
        ("SELECT ?x { ?x :lives%20in :New%20York }", ("x",), [("Ann",)]),
        ("SELECT ?x ?y { :Ann :knows ?x OPTIONAL { ?x :likes ?y } }", ("x", "y"), [("Bo", None)]),
        ("ASK { :Ann :knows+/:lives%20in :Ulm }", ("answer",), [(True,)]),
        ("ASK { :Bo :knows :Ann }", ("answer",), [(False,)]),
        ("SELECT (COUNT(*) AS ?n) { ?a ?b ?c }", ("n",), [("4",)]),
        ("CONSTRUCT { ?y :known ?x } { ?x :knows ?y }", ("head", "relation", "tail"), [("Bo", "known", "Ann")]),
        ("SELECT ?x { :Bo :service ?x } # SERVICE", ("x",), [("x",)]),
        ("SELECT ?x { :Bo :service|:customer%20service|:self-service|:drop ?x }", ("x",), [("x",)]),
        (
            'SELECT ?service { :Bo <urn:fusible:service> ?service FILTER(?service != "SERVICE") }',
            ("service",),
            [("x",)],
        ),
    ],
)
def test_answers_are_names(graph, query, columns, rows):
    answer = ask_graph(graph, query)
    assert (answer.columns, answer.rows, answer.more) == (columns, rows, False)


def test_rows_have_a_limit(graph):
    answer = ask_graph(graph, "SELECT ?a { ?a ?b ?c }", limit=2)
    assert (len(answer.rows), answer.more) == (2, True)
    assert len(ask_graph(graph, "SELECT ?a { ?a ?b ?c }", limit=4).rows) == 4
    assert len(ask_graph(graph, "SELECT ?a { ?a ?b ?c }", limit=None).rows) == 4


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("INSERT DATA { :a :b :c }", "INSERT is refused"),
        ("LOAD <http://localhost:1/x>", "LOAD is refused"),
        ("PREFIX x: <a:>\n drop all", "DROP is refused"),
        ("SELECT * { SERVICE <http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT * { service:x { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT * { SERVICESILENT<http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT * { ?x :b 1SERVICE<http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT * { # '\nSERVICE <http://localhost:1/> { ?a ?b ?c } # '\n}", "SERVICE is refused"),
        ("SELECT * { \\u0053ERVICE <http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        (r"SELECT * { ?s ?p ?o FILTER(?o != :a\#) SERVICE <http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        (r"SELECT * { :a\' ?p ?o SERVICE <http://localhost:1/> { ?a ?b 'x' } }", "SERVICE is refused"),
        (r"SELECT * { ?s ?p '\u0027' SERVICE <http://localhost:1/> { ?a ?b 'x' } }", "SERVICE is refused"),
        ("SELECT * { ?s ?p :.SERVICE <http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT * { ?s ?p :a.b.SERVICE <http://localhost:1/> { ?a ?b ?c } }", "SERVICE is refused"),
        ("SELECT ?x { ?x ", "no SPARQL query: error at 1:"),
        ("", "no SPARQL query"),
        ("SELECT ?x { ?x foo:bar ?y }", "no SPARQL query"),
    ],
)
def test_what_is_no_question_is_refused_in_one_line(graph, query, said):
    with pytest.raises(DataError, match=said) as caught:
        ask_graph(graph, query)
    assert "\n" not in str(caught.value)
