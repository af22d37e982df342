"""Visual question answering: the Python face `fit_answers`, and the commands `ask fit` and `ask`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from fusible.apps import options
from fusible.apps.output import check_page, print_json, quiet_stdout
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.evaluation.answered import Answers

FIT = "fit"
CASES = 3
"""Worst and best cases of each kind on the page of a fit."""
ONE = "put"
"""Hidden name of the command that asks, for which `fusible ask MODEL …` stands."""


class AskGroup(TyperGroup):
    """`ask fit …` fits; `ask MODEL …` asks. A model folder called `fit` is given as `./fit`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden command's name before anything that is neither `fit` nor a wish for help."""
        if args and args[0] not in {FIT, "-h", "--help"}:
            args = [ONE, *args]
        return super().parse_args(ctx, args)


ask = typer.Typer(
    name="ask",
    cls=AskGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Answer questions about pictures: `ask fit DATA …` fits a model, `ask MODEL IMAGE… QUESTION` asks it.",
)


def fit_answers(
    data: Any,
    image: str | Sequence[str],
    question: str,
    answer: str | Sequence[str],
    *,
    output: str | Path | None = None,
    html: str | Path | None = None,
    **given: Any,
) -> Answers:
    """Fit what answers questions about pictures; with `output` write its model folder, with `html` a page.

    All other options, and the result, are those of `fusible.tasks.answering.fit_answers`.
    """
    from fusible.report.answers import answers_card, write_report
    from fusible.tasks.answering import fit_answers as run
    from fusible.tasks.folder import check_model

    place = None if output is None else check_model(Path(output))
    page = check_page(html)
    result = run(data, image, question, answer, **{"cases": 0 if page is None else CASES, **given})
    result.answerer.model.card = answers_card(result)
    if place is not None:
        result.answerer.save(place)
    if page is not None:
        write_report(result, page)
    return result


@ask.command(FIT)
def fit(
    context: typer.Context,
    data: options.Data,
    image: Annotated[list[str], typer.Option("--image", metavar="COL", help="Column of pictures; repeatable.")],
    question: Annotated[str, typer.Option("--question", metavar="COL", help="Column of questions.")],
    answer: Annotated[
        list[str], typer.Option("--answer", metavar="COL", help="Column of answers; repeatable, one per person.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    strategy: options.Strategies = None,
    abstain: Annotated[
        float | None, typer.Option("--abstain", metavar="C", help="Give no answer below this confidence.")
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option("--accuracy", metavar="A", help="Withhold answers so that this share of the given ones is right."),
    ] = None,
    answers: Annotated[
        int | None, typer.Option("--answers", metavar="N", help="Most answers that the model knows (default: 1,000).")
    ] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Write answers word by word, in place of choosing among known ones.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="OUT.html", help="Page to write.")] = None,
    column: options.Columns = None,
    encoder: options.Encoders = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Fit a model that answers questions about pictures, and score it beside blind baselines."""
    from fusible.apps.progress import RichProgress

    shared: dict[str, Any] = {
        "encoders": options.parse_encoders(encoder),
        "device": device,
        "seed": seed,
        "workers": workers,
        "cache": cache,
        "progress": RichProgress(),
        "command": context.obj or "",
    }
    if generate:
        odd = {
            "--strategy": strategy,
            "--abstain": abstain,
            "--accuracy": accuracy,
            "--answers": answers,
            "--column": column,
            "--html": html,
        }
        _generate(data, image, question, answer, output, odd, shared, json=json)
        return
    with quiet_stdout():
        result = fit_answers(
            data,
            image,
            question,
            answer,
            output=output,
            html=html,
            strategies=strategy,
            abstain=abstain,
            accuracy=accuracy,
            **({} if answers is None else {"answers": answers}),
            columns=options.parse_columns(column),
            **shared,
        )
    if json:
        print_json(result.to_json())
        return
    from fusible.report.answers import print_answers

    print_answers(result)
    typer.echo(f"model: {output}")
    if html is not None:
        typer.echo(f"page: {html}")


def _generate(
    data: Any,
    image: list[str],
    question: str,
    answer: list[str],
    output: Path,
    odd: dict[str, Any],
    shared: dict[str, Any],
    *,
    json: bool,
) -> None:
    """Fit a caption model whose prompt is the question."""
    if given := [name for name, value in odd.items() if value is not None]:
        raise ConfigError(f"{given[0]}: goes with answers that are chosen; leave it out with --generate")
    import fusible

    with quiet_stdout():
        result = fusible.fit_captions(
            data, answer, image=image, prompt=question, metric="exact", output=output, **shared
        )
    if json:
        print_json(result.to_json())
        return
    from fusible.report.captions import print_captions

    print_captions(result)
    typer.echo(f"report: {output / 'report.html'}\nmodel:  {output / 'model'}")


@ask.command(ONE, hidden=True)
def put(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="Model folder written by `fusible ask fit`.", metavar="MODEL")],
    asked: Annotated[
        list[str],
        typer.Argument(
            help='One picture per image column, "" for a missing one; then the question.', metavar="IMAGE… QUESTION"
        ),
    ],
    abstain: Annotated[
        float | None,
        typer.Option("--abstain", metavar="C", help="Give no answer below this confidence (default: the model's)."),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also say which patches and words matter; --html does so, too.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="OUT.html", help="Page to write.")] = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Answer a question about a picture with a model folder."""
    page = check_page(html)
    if len(asked) < 2:
        raise ConfigError(f"ask: expected a picture and then a question, got only {asked[0]!r}")
    if Path(asked[-1]).is_file():
        raise ConfigError(
            f"ask: expected a question after the pictures, got the file {asked[-1]!r}; put the question last"
        )
    from fusible.tasks.answerer import load_answerer
    from fusible.tasks.captioner import holds_captioner

    if holds_captioner(model):
        if abstain is not None or evidence or page is not None:
            raise ConfigError(
                "--abstain, --evidence, --html: go with answers that are chosen; see `caption run --html`"
            )
        _write_answer(model, asked, workers, json=json)
        return
    with quiet_stdout():
        found = load_answerer(model).ask(
            asked[:-1],
            asked[-1],
            abstain=abstain,
            evidence=evidence or page is not None,
            workers=workers or options.WORKERS,
        )
    found.command = context.obj or ""
    if page is not None:
        from fusible.report.answers import write_page

        write_page(found, page)
    if json:
        print_json(found.to_json())
        return
    from fusible.report.answers import print_answer

    print_answer(found)
    if page is not None:
        typer.echo(f"page: {page}")


def _write_answer(model: Path, asked: list[str], workers: int | None, *, json: bool) -> None:
    """Answer by a model that writes word by word."""
    from fusible.tasks.captioner import load_captioner

    with quiet_stdout():
        writer: Any = load_captioner(model)
        text, confidence = writer.ask(asked[:-1], asked[-1], workers=workers or options.WORKERS)
    if json:
        print_json({"question": asked[-1], "answer": text, "confidence": confidence})
    else:
        typer.echo(f"{text}  (mean probability of a token {confidence:.1%})")
