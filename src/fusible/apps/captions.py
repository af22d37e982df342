"""`fusible caption fit` and `fusible caption run`: texts of pictures, sounds and videos, learned from a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import check_page, check_suffix, print_json, quiet_stdout, warn, write_table

if TYPE_CHECKING:
    from fusible.evaluation.written import Captions

app = typer.Typer(name="caption", help="Write texts of pictures, sounds and videos.", no_args_is_help=True)
TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".gz")

Image = Annotated[list[str] | None, typer.Option("--image", metavar="COL", help="Column of pictures to look at.")]
Audio = Annotated[list[str] | None, typer.Option("--audio", metavar="COL", help="Column of sounds to listen to.")]
Video = Annotated[list[str] | None, typer.Option("--video", metavar="COL", help="Column of videos to look at.")]
Prompt = Annotated[list[str] | None, typer.Option("--prompt", metavar="COL", help="Column of texts to answer.")]
Text = Annotated[list[str], typer.Option("--text", metavar="COL", help="Column of texts to learn; several too.")]
Beams = Annotated[int | None, typer.Option("--beams", min=1, help="Hypotheses of beam search; 1 is greedy.")]


def fit_captions(data: Any, text: Any, *, output: str | Path | None = None, **given: Any) -> Captions:
    """Train what writes a text about pictures, sounds or videos; see `fusible.tasks.captioning.fit_captions`.

    With `output`, also write the folder: `captions.json`, `report.html` and `model/`, which `fusible.load_captioner`
    reads.

    Raises `FusibleError`, one line: a table, column, encoder, decoder, split, setting or place that cannot be used.
    """
    from fusible.tasks import captioning
    from fusible.tasks.captioner import check_captioner, write_result

    place = None if output is None else check_captioner(Path(output))
    result = captioning.fit_captions(data, text, **given)
    if place is not None:
        from fusible.report.captions import render

        write_result(result, place, [("report.html", render(result))])
    return result


@app.command("fit")
def fit(
    context: typer.Context,
    data: options.Data,
    text: Text,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder to write.")],
    image: Image = None,
    audio: Audio = None,
    video: Video = None,
    prompt: Prompt = None,
    view: options.Views = None,
    decoder: Annotated[str, typer.Option("--decoder", help="transformer, or lstm with attention.")] = "transformer",
    operator: Annotated[str, typer.Option("--operator", help="How views are fused, or none.")] = "concat",
    encoder: options.Encoders = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="A tokenizer.json in place of one learned here.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="cider_d, rouge_l, exact or wer.")] = "cider_d",
    self_critical: Annotated[
        int, typer.Option("--self-critical", min=0, metavar="EPOCHS", help="Then train on CIDEr-D itself.")
    ] = 0,
    tune: Annotated[bool, typer.Option("--tune", help="Then train pretrained encoders along, slowly.")] = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs (default: by size).")] = None,
    beams: Beams = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Train on a table of inputs and texts; write OUT/model/, OUT/report.html and OUT/captions.json."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout(json):
        result = fusible.fit_captions(
            data,
            text,
            image=image,
            audio=audio,
            video=video,
            prompt=prompt,
            views=options.parse_views(view),
            decoder=decoder,
            operator=None if operator == "none" else operator,
            encoders=options.parse_encoders(encoder),
            tokenizer=tokenizer,
            metric=metric,
            self_critical=self_critical,
            tune=tune,
            epochs=epochs,
            **({} if beams is None else {"beams": beams}),
            seed=seed,
            device=device,
            workers=workers,
            cache=cache,
            progress=RichProgress(),
            command=context.obj or "",
            output=output,
        )
    if json:
        print_json(result.to_json())
        return
    from rich.console import Console

    from fusible.report.captions import print_captions

    print_captions(result, Console())
    typer.echo(f"report: {output / 'report.html'}\nmodel:  {output / 'model'}")


@app.command("run")
def run(
    model: Annotated[Path, typer.Argument(help="What `caption fit` wrote, or a Hugging Face folder.", metavar="MODEL")],
    inputs: Annotated[list[str], typer.Argument(help="Files to write of, or one table.", metavar="INPUT...")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help=".csv, .tsv, .parquet, .jsonl, or - (default).")
    ] = "-",
    beams: Beams = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw words from the nucleus in place of a search.")] = False,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Probability that the nucleus holds.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="Above 1: more daring.")] = None,
    shortest: Annotated[int | None, typer.Option("--shortest", min=0, help="Fewest tokens.")] = None,
    longest: Annotated[int | None, typer.Option("--longest", min=1, help="Most tokens.")] = None,
    length_penalty: Annotated[float | None, typer.Option("--length-penalty", help="0: short, 1: per token.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of what is drawn.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Page with where it looked.")] = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Write a text of every file, or of every row of a table."""
    import fusible
    from fusible.apps.progress import RichProgress

    check_suffix(output)
    check_page(html)
    settings = {
        "beams": beams,
        "sample": sample or None,
        "top_p": top_p,
        "temperature": temperature,
        "shortest": shortest,
        "longest": longest,
        "length_penalty": length_penalty,
        "seed": seed,
    }
    data: Any = inputs[0] if len(inputs) == 1 and _is_table(inputs[0]) else list(inputs)
    with quiet_stdout():
        loaded = fusible.load_captioner(model)
        frame = loaded.caption(data, workers=workers or options.WORKERS, progress=RichProgress(), **settings)
    warn(frame.attrs.pop("problems", ()))
    if isinstance(data, list):
        frame.insert(0, "file", data)
    if html is not None:
        from fusible.report.captions import write_page

        write_page(loaded, data, frame, html, settings)
    if json:
        print_json({"captions": frame.to_dict("records")})
    else:
        write_table(frame, output)


def _is_table(path: str) -> bool:
    return Path(path).is_dir() or Path(path).suffix.lower() in TABLES
