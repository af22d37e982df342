"""`fusible graph rules`: what relations of a graph follow from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import check_suffix, print_json, write_table

if TYPE_CHECKING:
    from fusible.tasks.knowledge.links.model import LinkModel
    from fusible.tasks.knowledge.rules.mined import Reason

LISTED = 20
"""Rules that are printed where nothing is said."""
SHOWN = 3
"""Reasons of an answer that are shown."""


def reasons_of(
    model: LinkModel, relation: str, head: str | None, tail: str | None, answers: Sequence[str]
) -> dict[str, list[Reason]]:
    """The surest rules that each answer follows from, with the known triples that make them fire."""
    rules = model.reasoning()
    found = {}
    for name in answers:
        start, end = (name, tail) if head is None else (head, name)
        found[name] = rules.explain(str(start), relation, str(end), most=SHOWN)
    return found


def print_reasons(reasons: Mapping[str, Sequence[Reason]]) -> None:
    """Print reasons, answer by answer."""
    for name, found in reasons.items():
        typer.echo(f"{name}: " + ("" if found else "no rule foretells it"))
        for reason in found:
            typer.echo(f"  {reason}")


def rules(
    graph: Annotated[
        Path, typer.Argument(metavar="GRAPH", help="Triples apart by tabs, or a folder of train, valid and test.")
    ],
    output: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Table to write.")] = None,
    min_support: Annotated[int, typer.Option("--min-support", min=1, help="Pairs that it must hold for.")] = 3,
    min_confidence: Annotated[
        float, typer.Option("--min-confidence", min=0, max=1, help="Share of pairs that it must hold for.")
    ] = 0.1,
    length: Annotated[int, typer.Option("--length", min=1, max=3, help="Most steps of a rule's body.")] = 3,
    most: Annotated[int, typer.Option("--most", min=1, help="Rules kept per relation and kind.")] = 100,
    constants: Annotated[bool, typer.Option(help="Also rules that name entities.")] = True,
    relation: Annotated[
        str | None, typer.Option("--relation", "-r", metavar="NAME", help="Show those of this relation alone.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", "-k", min=1, help=f"How many are shown ({LISTED}; in JSON, all).")
    ] = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Mine Horn rules from the training triples of a graph, with their support and confidence."""
    from fusible.data.graph import read_graph
    from fusible.tasks.knowledge._names import place
    from fusible.tasks.knowledge.rules.mined import mine_rules

    if output is not None:
        check_suffix(output)
    held = read_graph(graph)
    if relation is not None:
        place("relation", held.relations, relation)
    bounds: dict[str, Any] = {"length": length, "min_support": min_support, "most": most}
    frame = mine_rules(held, constants=constants, seed=seed, min_confidence=min_confidence, **bounds).to_frame()
    if relation is not None:
        frame = frame[frame["head"] == relation]
    if output is not None:
        write_table(frame, output)
    if json:
        print_json({"rules": (frame if k is None else frame.head(k)).to_dict("records")})
        return
    k = k or LISTED
    from rich.console import Console
    from rich.table import Table

    table = Table("rule", "support", "confidence", "pca", "coverage", box=None, pad_edge=False)
    for row in frame.head(k).itertuples(index=False):
        shown = f"{'~' if row.sampled else ''}{row.support:,}"
        table.add_row(str(row.rule), shown, f"{row.confidence:.3f}", f"{row.pca:.3f}", f"{row.coverage:.3f}")
    console = Console()
    console.print(table, markup=False)
    said = f"{min(k, len(frame)):,} of {len(frame):,} rules; mined from training triples; ~ estimated from a sample"
    console.print(said + ("" if output is None else f"; all in {output}"), highlight=False)
