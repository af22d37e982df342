"""`fusible graph classify`: how likely triples are true, and how right that is where false ones are told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fusible.apps import options
from fusible.apps.output import check_suffix, print_json, write_table


def classify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder written by `fusible graph fit`.")],
    triples: Annotated[Path, typer.Argument(metavar="TRIPLES", help="Triples apart by tabs.")],
    negatives: Annotated[
        Path | None,
        typer.Option("--negatives", metavar="TRIPLES", help="Triples that are false: measure, the others being true."),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Table to write; - is CSV on standard output.")
    ] = "-",
    json: options.Json = False,
) -> None:
    """Give the probability that triples are true; with ones that are false, say how right it is."""
    import pandas as pd

    from fusible.evaluation.links import classified
    from fusible.tasks.knowledge.links.model import load_links

    check_suffix(output)
    loaded = load_links(model)
    found = loaded.classify(triples)
    if negatives is None:
        if json:
            print_json({"triples": found.to_dict("records")})
        if output != "-" or not json:
            write_table(found, output)
        return
    both = pd.concat([found.assign(true=True), loaded.classify(negatives).assign(true=False)], ignore_index=True)
    scores = classified(both["true"].to_numpy(int), both["probability"].to_numpy())
    if output != "-":
        write_table(both, output)
    if json:
        print_json({"true": len(found), "false": len(both) - len(found), "scores": scores})
        return
    for name, score in scores.items():
        typer.echo(f"{name}: {score.score:.4f} (95 %: {score.low:.3f}-{score.high:.3f})")
