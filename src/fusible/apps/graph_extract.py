"""`fusible graph fit-extractor`: learn to read triples out of texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.kept import fit_and_save
from fusible.apps.output import print_json, quiet_stdout, warn

if TYPE_CHECKING:
    from fusible.tasks.knowledge.extract.fit import Extraction


def fit_extractor(pairs: Any, *, output: str | Path | None = None, **given: Any) -> Extraction:
    """Learn to read triples out of texts; with `output` write the model's folder.

    All other options, and the result, are those of `fusible.tasks.knowledge.extract.fit.fit_extractor`.
    """
    from fusible.tasks.knowledge.extract.fit import fit_extractor as run

    return fit_and_save(run, output, pairs, **given)


def command(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="Texts and their triples: a table, or a folder of train, dev, test.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    tune: Annotated[
        bool, typer.Option("--tune/--frozen", help="Train the upper layers of the text encoder along, or leave it.")
    ] = True,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the rows, another text of each.")] = 3,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Learn to read triples out of texts, and measure it on texts that were held out."""
    from fusible.apps.progress import RichProgress
    from fusible.tasks.knowledge.extract._train import ExtractSettings

    with quiet_stdout():
        result = fit_extractor(
            pairs,
            output=output,
            tune=tune,
            settings=ExtractSettings(epochs=epochs),
            seed=seed,
            device=device,
            cache=cache,
            progress=RichProgress(),
        )
    warn(problem.message for problem in result.problems)
    if json:
        print_json(result.to_json())
        return
    _print(result)
    typer.echo(f"model: {output}")


def _print(result: Extraction) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(
        Column("names", no_wrap=True), "valid f1", "precision", "recall", "f1", "95 %", box=None, pad_edge=False
    )
    for name, scores in result.test.items():
        f1 = scores["f1"]
        shown = [f"{scores[metric].score:.3f}" for metric in ("precision", "recall", "f1")]
        table.add_row(name, f"{result.valid[name]['f1'].score:.3f}", *shown, f"{f1.low:.3f}-{f1.high:.3f}")
    console = Console()
    console.print(", ".join(f"{count:,} {what}" for what, count in result.sizes.items()), highlight=False)
    console.print(table, markup=False)
    said = f"triples of test texts, told from a probability of {result.threshold:.3f} on; calibration error"
    console.print(f"{said} {result.calibration_error:.3f}", highlight=False)
