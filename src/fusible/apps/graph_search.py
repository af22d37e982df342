"""`fusible graph search`: answer a question from a knowledge graph, with what supports each answer."""

from __future__ import annotations

import json as formats
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusible.apps import options
from fusible.apps.output import check_page, print_json, quiet_stdout
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.tasks.knowledge.search.fusion import Fusion

MOST_WEIGHTS = 100_000
"""Bytes of a file of weights."""


def search(
    context: typer.Context,
    graph: Annotated[
        Path, typer.Argument(metavar="GRAPH", help="A stored graph, triples apart by tabs, or a folder of these.")
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What is looked for, in plain words.")],
    entities: Annotated[
        Path | None, typer.Option("--entities", metavar="TABLE", help="What else is known of entities, a row each.")
    ] = None,
    relations: Annotated[
        Path | None, typer.Option("--relations", metavar="TABLE", help="Labels and descriptions of relations.")
    ] = None,
    entity: Annotated[str, typer.Option("--entity", metavar="COL", help="Column of entities' names.")] = "entity",
    model: Annotated[
        Path | None, typer.Option("--model", "-m", metavar="LINKS", help="Link model by `fusible graph fit`.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="How members count, as `tune` in Python gives it.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=1_000, help="How many answers.")] = 10,
    html: Annotated[Path | None, typer.Option("--html", metavar="PAGE", help="Page to write.")] = None,
    device: options.Device = "cpu",
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Answer a question from a graph: entities, best first, with the triples and sentences that support them."""
    check_page(html)
    fusion = None if weights is None else read_weights(weights)
    from fusible.apps.progress import RichProgress
    from fusible.tasks.knowledge.search.searcher import GraphSearcher

    with quiet_stdout():
        searcher = GraphSearcher(
            graph,
            entities=entities,
            relations=relations,
            entity=entity,
            model=model,
            fusion=fusion,
            device=device,
            cache=cache,
            progress=RichProgress(),
        )
        found = searcher.search(question, k)
    found.command = context.obj or ""
    if html is not None:
        from fusible.report.graph_search import write_page

        write_page(found, html)
    if json:
        print_json(found.to_json())
        return
    from rich.console import Console

    from fusible.report.graph_search import print_found

    print_found(found, Console())
    if html is not None:
        typer.echo(f"page: {html}")


def read_weights(path: Path) -> Fusion:
    """Read how members count: a JSON object with `rule` and `weights`. Raises `ConfigError` for anything else."""
    from fusible.tasks.knowledge.search.fusion import Fusion

    try:
        if path.stat().st_size > MOST_WEIGHTS:
            raise ConfigError(f"--weights {path}: expected a small JSON file")
        held = formats.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"--weights {path}: not a JSON file: {' '.join(str(error).split())[:200]}") from None
    told = held.get("weights") if isinstance(held, dict) else None
    numbers = isinstance(told, dict) and all(isinstance(v, int | float) for v in told.values())
    if not isinstance(held, dict) or not numbers or set(held) - {"rule", "weights"}:
        raise ConfigError(f"--weights {path}: expected an object with 'rule' and 'weights' of members")
    return Fusion(**held)
