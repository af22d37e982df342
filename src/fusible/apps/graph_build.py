"""Graphs out of texts (`fusible graph build`, `show`), in other forms (`export`), and asked by SPARQL (`sparql`)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import print_json, quiet_stdout, warn
from fusible.data.iri import NAMESPACE

if TYPE_CHECKING:
    from fusible.tasks.knowledge.construct.build import Built
    from fusible.tasks.knowledge.shown import Shown


AnyGraph = Annotated[
    Path, typer.Argument(metavar="GRAPH", help="Stored graph, or triples (.tsv, .nt, .ttl, .graphml, .parquet).")
]
Namespace = Annotated[
    str, typer.Option("--namespace", metavar="IRI", help="Where names are put in RDF; also the empty prefix.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to those of graphs."""
    app.command("build")(build)
    app.command("show")(show)
    app.command("export")(export)
    app.command("sparql")(sparql)


def build(
    texts: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEXTS]", help="A text file, a folder of .txt files, or a table (CSV, JSONL, Parquet)."
        ),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="GRAPH", help="Folder of the graph.")],
    text: Annotated[str | None, typer.Option("--text", metavar="COL", help="Column of a table with the texts.")] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", metavar="COL", help="Column with their names (default: their hashes).")
    ] = None,
    extractor: Annotated[
        Path | None,
        typer.Option("--extractor", metavar="MODEL", help="Folder of a trained extractor (default: rules)."),
    ] = None,
    merge: Annotated[
        bool | None,
        typer.Option("--merge/--no-merge", help="Put names of one entity together (default: as before, else yes)."),
    ] = None,
    encodings: Annotated[
        bool | None,
        typer.Option("--encodings/--no-encodings", help="… also those whose encodings are alike (the same default)."),
    ] = None,
    apart: Annotated[
        list[str] | None, typer.Option("--apart", metavar="NAME", help="Leave this name alone; repeatable.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="ID", help="Take this document out; repeatable.")
    ] = None,
    device: options.Device = "cpu",
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Read a graph out of texts, or bring one up to date: documents that it has already are not read again."""
    from fusible.apps.progress import RichProgress
    from fusible.tasks.knowledge.construct.build import build_graph

    given: dict[str, Any] = {"text": text, "id": id_column, "extractor": extractor, "merge": merge}
    given |= {"encodings": encodings, "apart": apart or (), "remove": remove or ()}
    with quiet_stdout():
        built = build_graph(texts, output, **given, device=device, cache=cache, progress=RichProgress())
    warn(problem.message for problem in built.problems)
    if json:
        print_json(built.to_json())
        return
    _print_built(built)
    typer.echo(f"graph: {output}")


def show(
    graph: Annotated[Path, typer.Argument(metavar="GRAPH", help="Graph written by `fusible graph build`.")],
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="Any of its names.")],
    sentences: Annotated[int, typer.Option("--sentences", min=0, help="Most sentences of a triple.")] = 1,
    json: options.Json = False,
) -> None:
    """Show what a graph says of an entity, and the sentences that say it."""
    from fusible.tasks.knowledge.graph_store import read_store
    from fusible.tasks.knowledge.shown import show_entity

    shown = show_entity(read_store(graph), entity, sentences)
    if json:
        print_json(asdict(shown))
        return
    _print_shown(shown)


def export(
    graph: AnyGraph,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help=".tsv, .nt, .ttl, .graphml, .parquet, or a folder.")
    ],
    namespace: Namespace = NAMESPACE,
) -> None:
    """Write the triples of a graph in another form."""
    from fusible.data.graph import read_graph
    from fusible.data.graph_writer import write_graph

    found = read_graph(graph, namespace)
    write_graph(found, output, namespace)
    typer.echo(f"{len(found):,} triples: {output}")


def sparql(
    graph: AnyGraph,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SELECT, ASK, CONSTRUCT or DESCRIBE.")],
    namespace: Namespace = NAMESPACE,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most rows to show.")] = 1000,
    json: options.Json = False,
) -> None:
    """Ask a graph a SPARQL query; it is only read, and no other machine is asked."""
    from fusible.data.graph import read_graph
    from fusible.tasks.knowledge.sparql import ask_graph

    answer = ask_graph(read_graph(graph, namespace), query, namespace=namespace, limit=limit)
    if json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        print_json({"columns": answer.columns, "rows": rows, "more": answer.more})
        return
    for row in (answer.columns, *answer.rows):
        typer.echo("\t".join("" if cell is None else str(cell) for cell in row))
    if answer.more:
        warn([f"only the first {limit:,} rows are shown; --limit gives more"])


def _print_built(built: Built) -> None:
    done = [f"{count:,} {what}" for what, count in built.documents.items() if count and what != "all"]
    typer.echo(f"documents: {built.documents['all']:,} ({', '.join(done) or 'nothing new'})")
    typer.echo(", ".join(f"{built.sizes[what]:,} {what}" for what in ("entities", "relations", "triples", "mentions")))
    if built.store.merges.num_rows:
        typer.echo(f"{built.store.merges.num_rows:,} pairs of names put together")


def _print_shown(shown: Shown) -> None:
    names = [f"({shown.type})"] if shown.type else []
    names += [f"also: {', '.join(shown.aliases)}"] if shown.aliases else []
    typer.echo(" ".join([shown.entity, *names]))
    if not shown.triples:
        typer.echo("no triples")
    for triple in shown.triples:
        said = f"{triple['confidence']:.2f}, {triple['count']} place(s)"
        typer.echo(f"{triple['head']} | {triple['relation']} | {triple['tail']}  [{said}]")
        for place in triple["said"]:
            typer.echo(f"    {place['document']}: {' '.join(place['sentence'].split())}")
