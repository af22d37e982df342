"""`fusible graph query`: questions over several hops, with the paths that answer them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import print_json
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.tasks.knowledge.query.ask import Answers


def query(
    graph: Annotated[
        Path,
        typer.Argument(metavar="GRAPH|MODEL", help="A graph, or a model folder, over the graph that it knows."),
    ],
    text: Annotated[str, typer.Argument(metavar="QUERY", help="Such as '?x: born_in France & works_at ?y'.")],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="Predict edges that lack by this model folder.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Predict edges that lack by rules of the graph.")] = False,
    known: Annotated[bool, typer.Option("--known", help="Of a model: what its graph says alone.")] = False,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many answers.")] = 10,
    beam: Annotated[int, typer.Option("--beam", min=1, help="Bindings followed at a time where edges lack.")] = 200,
    json: options.Json = False,
) -> None:
    """Answer a query over several hops: exactly, and by predicted edges where asked for."""
    from fusible.tasks.knowledge.links.model import LinkModel, load_links
    from fusible.tasks.knowledge.query.ask import query_graph
    from fusible.tasks.knowledge.rules.mined import mine_rules

    if (model is not None) + rules + known > 1:
        raise ConfigError("give one of --model, --rules and --known: edges are predicted by one of them, or by none")
    by: Any = None
    held: Any = graph
    if (graph / "config.yaml").is_file():
        held = load_links(graph)
        by = None if known or rules else held
    if model is not None:
        by = load_links(model)
    if rules:
        by = held.reasoning() if isinstance(held, LinkModel) else mine_rules(held)
    found = query_graph(held, text, by=by, k=k, beam=beam)
    if json:
        print_json(found.to_json())
        return
    _print_answers(found)


def _print_answers(found: Answers) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    names = [Column(f"?{name}") for name in found.query.asked]
    table = Table(*names, Column("score", no_wrap=True), "path", box=None, pad_edge=False)
    for answer in found.answers:
        score = "known" if answer.known else f"{answer.score:.3f}"
        table.add_row(*answer.values, score, " ∧ ".join(map(str, answer.path)))
    console = Console()
    if found.answers:
        console.print(table, markup=False)
    else:
        console.print("no answers", highlight=False)
