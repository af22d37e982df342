"""SPARQL over a graph, by pyoxigraph, in memory: questions only, and nothing is asked of other machines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from fusible.data.graph import Graph
from fusible.data.graph_rdf import oxigraph, quads, term_name
from fusible.data.graph_writer import named
from fusible.data.iri import NAMESPACE, check_namespace, from_iri
from fusible.errors import DataError

_QUIET = re.compile(
    r"""(?P<iri><[^<>"{}|^`\\\x00-\x20]*>)|\#[^\n\r]*|'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\""""
    r"""|'(?:[^'\\\n\r]|\\.)*'|"(?:[^"\\\n\r]|\\.)*"|[?$]\w+|(?P<local>:(?:[\w:-]|%[0-9A-Fa-f]{2}|\\.)+)|\\.""",
    re.DOTALL,
)
"""What of a query is no keyword: IRIs, comments, texts, variables, local names up to a dot, and escapes in these: of
":a\\#" no comment begins, and in ":a.b.SERVICE" a lenient parser sees a keyword."""
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_SERVICE = re.compile("service", re.IGNORECASE)
_UPDATE = re.compile(r"(?<![\w:.-])(INSERT|DELETE|LOAD|CLEAR|CREATE|DROP|COPY|MOVE|ADD)(?![\w:.-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: `columns` and `rows` of names (None where unbound); of ASK one row with yes or no.

    `more` says that there are more rows than were asked for.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str | bool | None, ...]]
    more: bool = False


def ask_graph(graph: Graph, query: str, *, namespace: str = NAMESPACE, limit: int | None = 1000) -> Answer:
    """Ask a SPARQL 1.1 query (SELECT, ASK, CONSTRUCT, DESCRIBE) of a graph.

    Names are IRIs under `namespace`, which is also the empty prefix: `:Ulm`, `:New%20York`, `:born%20in`. At most
    `limit` rows are given. Raises `DataError`, with line and column, for what is no query, and for updates and
    `SERVICE`, which would ask another machine.

    >>> import pyarrow as pa
    >>> from fusible.data.graph import read_graph
    >>> graph = read_graph(pa.table({"head": ["Ann", "Bo"], "relation": ["in", "in"], "tail": ["Ulm", "Bonn"]}))
    >>> ask_graph(graph, "SELECT ?who { ?who :in :Ulm }").rows
    [('Ann',)]
    """
    check_namespace(namespace)
    _refuse(query)
    package = oxigraph("SPARQL")
    store = package.Store()
    store.bulk_extend(package.Quad(t.subject, t.predicate, t.object) for t in quads(named(graph), namespace))
    try:
        found = store.query(query, prefixes={"": namespace})
        if isinstance(found, package.QueryBoolean):
            return Answer(("answer",), [(bool(found),)])
        rows = list(islice(found, None if limit is None else limit + 1))
    except SyntaxError as error:
        raise DataError(f"no SPARQL query: {' '.join(str(error.msg).split())[:200]}") from None
    except (ValueError, RuntimeError, OSError) as error:
        raise DataError(f"the query failed: {' '.join(str(error).split())[:200]}") from None
    shown = rows if limit is None else rows[:limit]
    if isinstance(found, package.QuerySolutions):
        columns = tuple(variable.value for variable in found.variables)
        told = [tuple(_name(package, row[name], namespace) for name in columns) for row in shown]
    else:
        columns = ("head", "relation", "tail")
        told = [tuple(_name(package, term, namespace) for term in (t.subject, t.predicate, t.object)) for t in shown]
    return Answer(columns, told, more=len(rows) > len(shown))


def _name(package: Any, term: Any, namespace: str) -> str | None:
    return None if term is None else term_name(package, term, partial(from_iri, namespace=namespace))


def _refuse(query: str) -> None:
    """Refuse updates and SERVICE wherever a lenient parser might see one: also in `SERVICE:x` and `1SERVICE`.

    Escapes of characters are read both ways, as a part of what they stand in and before all else (as the standard has
    it), for they may end a text, or begin one.
    """
    plain = _ESCAPE.sub(lambda found: chr(min(int(found[1] or found[2], 16), 0x10FFFF)), query)
    for form in dict.fromkeys((query, plain)):
        rest = _QUIET.sub(lambda found: ":" if found["local"] else " ", form)
        if _SERVICE.search(rest):
            raise DataError(
                "SERVICE is refused: a query is answered from this graph alone; leave it out, and write a name that "
                "has the word after a dot as <IRI>"
            )
        update = _UPDATE.search(rest)
        if update:
            raise DataError(f"{update[1].upper()} is refused: a query only reads; see `fusible graph build`")
