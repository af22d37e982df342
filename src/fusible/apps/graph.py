"""`fusible graph fit` and `fusible graph predict`: learn which links a graph lacks, and ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import graph_build, graph_extract, graph_query, graph_rules, graph_search, options
from fusible.apps.graph_classify import classify
from fusible.apps.kept import fit_and_save
from fusible.apps.output import print_json, quiet_stdout, warn
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.tasks.knowledge.links.result import Links

app = typer.Typer(name="graph", help="Build knowledge graphs, and reason over them.", no_args_is_help=True)
app.command("search")(graph_search.search)
app.command("rules")(graph_rules.rules)
app.command("fit-extractor")(graph_extract.command)
graph_build.register(app)
app.command("query")(graph_query.query)
app.command("classify")(classify)


def fit_links(graph: Any, *, output: str | Path | None = None, **given: Any) -> Links:
    """Learn which links a graph lacks; with `output` write the model's folder.

    All other options, and the result, are those of `fusible.tasks.knowledge.links.fit.fit_links`.
    """
    from fusible.tasks.knowledge.links.fit import fit_links as run

    return fit_and_save(run, output, graph, **given)


@app.command("fit")
def fit(
    graph: Annotated[
        Path,
        typer.Argument(
            metavar="GRAPH",
            help="Triples apart by tabs, a folder of train, valid and test, or of a graph that was built.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    entities: Annotated[
        Path | None,
        typer.Option(
            "--entities", "--entity-table", metavar="TABLE", help="What else is known of entities, a row each."
        ),
    ] = None,
    entity: Annotated[str, typer.Option("--entity", metavar="COL", help="Column of their names.")] = "entity",
    encoder: options.Encoders = None,
    scorer: Annotated[
        list[str] | None, typer.Option("--scorer", metavar="NAME", help="Try this scorer; repeatable (complex).")
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Also mine rules, and put them together with the best scorer.")
    ] = False,
    width: Annotated[int, typer.Option("--width", min=1, help="Dimensions of an entity's vector.")] = 500,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Most passes over the triples.")] = 100,
    negatives: Annotated[
        Path | None,
        typer.Option("--negatives", metavar="TRIPLES", help="False triples to calibrate on, beside validation ones."),
    ] = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Learn links from a graph, and measure what it finds of those that were held out."""
    from fusible.apps.progress import RichProgress
    from fusible.tasks.knowledge.links._network import LinkSettings

    with quiet_stdout():
        result = fit_links(
            graph,
            output=output,
            entities=entities,
            entity=entity,
            encoders=options.parse_encoders(encoder),
            scorers=scorer or ("complex",),
            rules=rules,
            settings=LinkSettings(width=width, epochs=epochs),
            negatives=negatives,
            device=device,
            seed=seed,
            cache=cache,
            progress=RichProgress(),
        )
    warn(problem.message for problem in result.problems)
    if json:
        print_json(result.to_json())
        return
    _print_links(result)
    typer.echo(f"model: {output}")


@app.command("predict")
def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by `fusible graph fit`.")],
    relation: Annotated[str, typer.Option("--relation", "-r", metavar="NAME", help="The relation.")],
    head: Annotated[str | None, typer.Option("--head", metavar="ENTITY", help="Where it leads from.")] = None,
    tail: Annotated[str | None, typer.Option("--tail", metavar="ENTITY", help="Where it leads to.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many answers.")] = 10,
    known: Annotated[bool, typer.Option("--known", help="Also what the graph says already.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the rules and the known triples that each answer follows from.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Name the likeliest ends of a relation."""
    from fusible.apps.graph_rules import print_reasons, reasons_of
    from fusible.tasks.knowledge.links.model import load_links

    if (head is None) == (tail is None):
        raise ConfigError("give --head or --tail, not both; the other end is what is looked for")
    links = load_links(model)
    found = links.predict(relation, head=head, tail=tail, k=k, known=known)
    reasons = reasons_of(links, relation, head, tail, list(found["entity"])) if explain else {}
    if json:
        answers = found.to_dict("records")
        print_json({"answers": [one | ({"reasons": reasons[one["entity"]]} if explain else {}) for one in answers]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("entity", "log-probability", *(["known"] if known else []), box=None, pad_edge=False)
    for entity, score, said in found.itertuples(index=False):
        table.add_row(entity, f"{score:.3f}", *(["yes" if said else ""] if known else []))
    Console().print(table, markup=False)
    print_reasons(reasons)


def _print_links(result: Links) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    names = ("hits@1", "hits@3", "hits@10")
    table = Table(Column("candidate", no_wrap=True), "valid mrr", "mrr", "95 %", *names, box=None, pad_edge=False)
    for row in result.rows:
        score, name = row.test["mrr"], f"{row.name} *" if row.name == result.chosen else row.name
        shown = [f"{row.test[name].score:.4f}" for name in names]
        table.add_row(name, f"{row.valid:.4f}", f"{score.score:.4f}", f"{score.low:.3f}-{score.high:.3f}", *shown)
    console = Console()
    console.print(", ".join(f"{count:,} {what}" for what, count in result.sizes.items()), highlight=False)
    console.print(table, markup=False)
    console.print("filtered ranks among all entities, both ways; * chosen on validation triples", highlight=False)
