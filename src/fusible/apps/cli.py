"""The command `fusible`: thin, over the Python face. Only typer is imported before a command runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fusible.apps import align, answers, captions, explain, graph, options, recommend, retrieval, video
from fusible.apps.output import check_suffix, print_json, quiet_stdout, warn, write_table
from fusible.errors import FusibleError

app = typer.Typer(
    name="fusible",
    help="Cross-modal fusion that tells you whether it helps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
USAGE: Any = typer.BadParameter.__mro__[1]
"""What typer raises where a command line is not one: the UsageError that it has from click, and does not export."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0, or 2 with one line on stderr for what the user can mend, or 1 for a defect."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = shlex.join(["fusible", *arguments])
        code = app(args=options.spread(arguments), prog_name="fusible", obj=command, standalone_mode=False)
    except FusibleError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except USAGE as error:
        sys.stderr.write(_usage(error))
        sys.exit(2)
    except typer.Abort:
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Any) -> str:
    """Wrong usage in one line; nothing where no arguments were given, as help is shown then."""
    said = " ".join(error.format_message().split()).rstrip(".")
    if not said or type(error).__name__ == "NoArgsIsHelpError":
        return ""
    path = error.ctx.command_path.removesuffix(f" {answers.ONE}") if error.ctx else ""
    place = f"; see {path} {error.ctx.help_option_names[0]}" if error.ctx else ""
    return f"error: {said}{place}\n"


def _print_version(wanted: bool) -> None:
    if wanted:
        from fusible import __version__

        typer.echo(f"fusible {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Cross-modal fusion that tells you whether it helps."""


@app.command()
def inspect(
    data: options.Data,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Column to predict, to look for leaks.")] = None,
    column: options.Columns = None,
    view: options.Views = None,
    json: options.Json = False,
) -> None:
    """Show what is in a table: columns, modalities and why, coverage, problems."""
    import fusible

    with quiet_stdout(json):
        found = fusible.inspect(
            data, target, columns=options.parse_columns(column), views=options.parse_views(view)
        ).to_dict()
    if json:
        print_json(found)
        return
    from rich.console import Console

    from fusible.report.terminal import print_inspection

    views = [{"name": name, **found_view} for name, found_view in found["views"].items()]
    print_inspection({**found, "views": views}, Console())


@app.command()
def compare(
    context: typer.Context,
    data: options.Tables,
    target: options.Targets,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="STUDY", help="Folder to write.")] = None,
    column: options.Columns = None,
    view: options.Views = None,
    encoder: options.Encoders = None,
    strategy: options.Strategies = None,
    metric: options.Metric = None,
    budget: options.Budget = None,
    robust: options.Robust = False,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Score every strategy on one split; with -o also write STUDY/report.html and STUDY/best/.

    Of several tables: a study of each, then average ranks over all; with -o, STUDY/<table>/ each, and an index page.
    """
    from fusible.apps.progress import RichProgress
    from fusible.apps.several import comparison

    run, show = comparison(data, target)
    with quiet_stdout(json):
        result = run(
            columns=options.parse_columns(column),
            views=options.parse_views(view),
            encoders=options.parse_encoders(encoder),
            strategies=strategy,
            metric=metric,
            **options.costly(budget, robust),
            seed=seed,
            output=output,
            device=device,
            workers=workers,
            cache=cache,
            progress=RichProgress(),
            command=context.obj,
        )
    show(result, output, json)


@app.command()
def fit(
    data: options.Data,
    target: options.Target,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    strategy: Annotated[str, typer.Option("--strategy", "-s", help="Strategy to fit.")] = "auto",
    column: options.Columns = None,
    view: options.Views = None,
    encoder: options.Encoders = None,
    metric: options.Metric = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
) -> None:
    """Fit one strategy and write it as a model folder."""
    import fusible
    from fusible.apps.progress import RichProgress

    fusible.fit(
        data,
        target,
        strategy=strategy,
        columns=options.parse_columns(column),
        views=options.parse_views(view),
        encoders=options.parse_encoders(encoder),
        metric=metric,
        seed=seed,
        output=output,
        device=device,
        workers=workers,
        cache=cache,
        progress=RichProgress(),
    )
    typer.echo(f"model: {output}")


@app.command()
def predict(
    model: options.ModelFolder,
    data: options.Data,
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help=".csv, .tsv, .parquet, .jsonl, or -.")],
    workers: options.Workers = None,
) -> None:
    """Predict every row of a table with a model folder."""
    check_suffix(output)
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout():
        frame = fusible.predict(model, data, workers=workers or options.WORKERS, progress=RichProgress())
    warn(frame.attrs.pop("problems", ()))
    write_table(frame, output)


@app.command()
def evaluate(
    model: options.ModelFolder,
    data: options.Data,
    missing: Annotated[
        bool, typer.Option("--missing", help="Also score every subset of views, and curves over missing rates.")
    ] = False,
    corrupt: Annotated[
        bool, typer.Option("--corrupt", help="Also score five severities of corruption of each view.")
    ] = False,
    seed: options.Seed = 0,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Score a model folder on a table that holds the target."""
    import fusible
    from fusible.apps.progress import RichProgress

    run: dict[str, Any] = {"workers": workers or options.WORKERS, "progress": RichProgress()}
    found = None
    with quiet_stdout():
        scores = fusible.evaluate(model, data, **run)
        if missing or corrupt:
            found = fusible.robustness(model, data, missing=missing, corrupt=corrupt, seed=seed, **run)
    if json:
        print_json(scores if found is None else {**scores, "robustness": found.to_json()})
        return
    from fusible.apps.tables import print_scores

    warn(scores.pop("problems", ()))
    print_scores(scores)
    if found is not None:
        from fusible.report.robustness import print_robustness

        print_robustness(found)


app.command("align")(align.command)
app.command("index")(retrieval.index)
app.command("search")(retrieval.search)
app.command("explain")(explain.command)
app.add_typer(captions.app)
app.add_typer(answers.ask)
app.add_typer(video.app)
app.add_typer(graph.app)
app.add_typer(recommend.app)


@app.command()
def demo(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="STUDY", help="Folder to write.")] = Path("demo"),
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Do the main job on a real data set that a package ships: pictures, questions, answers."""
    import fusible
    from fusible.apps.progress import RichProgress
    from fusible.apps.study import show_study

    with quiet_stdout(json):
        result = fusible.demo(
            output=output,
            device=device,
            seed=seed,
            workers=workers,
            cache=cache,
            progress=RichProgress(),
            command=context.obj,
        )
    show_study(result, output, json)
