"""The Python face and the command of explanations: `explain`, which also writes a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.models import _model
from fusible.apps.output import print_json, quiet_stdout, warn
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.evaluation.explanation import Explanation
    from fusible.tasks.model import Model


def explain(
    model: Model | str | Path, data: Any, row: int | None = None, *, output: str | Path | None = None, **given: Any
) -> Explanation:
    """Explain a row's answer, or the score on all rows, of a model or its folder; with `output` also write a page.

    The page is one self-contained HTML file. All other options are those of `fusible.tasks.explain.explain`.
    """
    from fusible.tasks.explain import explain as run

    if output is not None and not Path(output).absolute().parent.is_dir():
        raise ConfigError(f"output {str(output)!r}: the folder {Path(output).absolute().parent} does not exist")
    found = run(_model(model), data, row, **given)
    if output is not None:
        from fusible.report.explain import write_page

        write_page(found, output)
    return found


def command(
    context: typer.Context,
    model: options.ModelFolder,
    data: options.Data,
    row: Annotated[
        int | None, typer.Option("--row", metavar="N", help="Row to explain, from 0 (default: the score on all rows).")
    ] = None,
    target_class: Annotated[
        str | None, typer.Option("--target-class", metavar="C", help="Class to explain (default: the answer).")
    ] = None,
    saliency: Annotated[
        bool, typer.Option("--saliency", help="Also words, patches of pictures and stretches of sound.")
    ] = False,
    scale: Annotated[str, typer.Option("--scale", help="probability or log_odds, for classes.")] = "probability",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", "--html", metavar="OUT.html", help="Page to write.")
    ] = None,
    seed: options.Seed = 0,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Say what a model's answer for a row, or its score on a table, rests on: views, columns, words, patches."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout():
        found = fusible.explain(
            model,
            data,
            row,
            target_class=target_class,
            saliency=saliency,
            scale=scale,
            seed=seed,
            workers=workers or options.WORKERS,
            output=output,
            progress=RichProgress(),
            command=context.obj,
        )
    if json:
        print_json(found.to_json())
        return
    from rich.console import Console

    from fusible.report.explain import print_explanation

    warn(found.problems)
    print_explanation(found, Console())
    if output is not None:
        typer.echo(f"page: {output}")
