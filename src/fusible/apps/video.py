"""`fusible video`: `analyze`, what is in a film; `summarize`, the film made short; and commands of other modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options, video_fit, video_sync
from fusible.apps.output import print_json, quiet_stdout, warn
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.tasks.video.batch import Analyzed
    from fusible.tasks.video.moments import Moments
    from fusible.tasks.video.summarizing import Summarized

app = typer.Typer(name="video", help="Say what is in films, make them short, and search in them.", no_args_is_help=True)
Step = Annotated[float, typer.Option("--step", metavar="SECONDS", help="Between pictures that are encoded.")]
Encoder = Annotated[str, typer.Option("--encoder", metavar="NAME", help="Frozen encoder of pictures.")]
Transcripts = Annotated[
    list[Path] | None,
    typer.Option("--transcript", metavar="FILE", help="SRT, WebVTT or a table of words; one per film, in their order."),
]


def analyze_video(
    files: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    transcripts: Sequence[str | Path] | None = None,
    **given: Any,
) -> Analyzed:
    """Analyse films and write a folder for each within `output`; see `fusible.tasks.video.analysis.analyze_film`.

    A folder holds `timeline.json`, `timeline.parquet`, `timeline.vtt` and `timeline.html`. Raises `FusibleError`, one
    line, for an output or a setting that cannot be used; a film that cannot is among the result's `failures`.
    """
    from fusible.report.timeline import write_page
    from fusible.tasks.video.batch import analyze_films

    films = _films(files)
    return analyze_films(
        films,
        output,
        transcripts=_by_film(films, transcripts),
        page=lambda analysis, film, page: write_page(analysis.timeline, page, film),
        **given,
    )


def video_moments(
    files: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    transcripts: Sequence[str | Path] | None = None,
    **given: Any,
) -> Moments:
    """Cut films into moments, a table to search in; see `fusible.tasks.video.moments.cut_films`."""
    from fusible.tasks.video.moments import cut_films

    films = _films(files)
    return cut_films(films, output, transcripts=_by_film(films, transcripts), **given)


def _films(files: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [files] if isinstance(files, str | Path) else list(files)


def _by_film(films: Sequence[str | Path], transcripts: Sequence[str | Path] | None) -> dict[str, str | Path] | None:
    """Transcripts {film: its own}, given in the order of the films."""
    if transcripts is None:
        return None
    if len(transcripts) != len(films):
        raise ConfigError(f"video: expected a transcript per film, got {len(transcripts)} for {len(films)}")
    return dict(zip(map(str, films), transcripts, strict=True))


def summarize_video(file: str | Path, output: str | Path | None = None, **given: Any) -> Summarized:
    """Make a film short; see `fusible.tasks.video.summarizing.summarize_film`."""
    from fusible.tasks.video.summarizing import summarize_film

    return summarize_film(file, output, **given)


app.command("fit")(video_fit.command)
app.command("sync")(video_sync.sync)
app.command("fit-sync")(video_sync.fit)


@app.command("analyze")
def analyze(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Films, or sounds.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder to write.")],
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="WORD", help="Look for this in pictures; several too.")
    ] = None,
    transcript: Transcripts = None,
    model: Annotated[
        list[Path] | None, typer.Option("--model", metavar="MODEL", help="What `video fit` wrote; several too.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option("--confidence", help="Least of the model's events (default: its own).")
    ] = None,
    whisper: Annotated[
        Path | None, typer.Option("--whisper", metavar="FOLDER", help="Local Whisper model that writes transcripts.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option("--detector", metavar="FOLDER", help="Local DETR model that finds objects.")
    ] = None,
    step: Step = 0.5,
    encoder: Encoder = "image_efficientnet",
    device: options.Device = "cpu",
    json: options.Json = False,
) -> int:
    """Write OUT/FILM/timeline.json, .parquet, .vtt and .html for each film; exit code 1 where some failed."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout(json):
        found = fusible.analyze_video(
            files,
            output,
            transcripts=transcript,
            labels=label,
            models=model or (),
            confidence=confidence,
            whisper=whisper,
            detector=detector,
            step=step,
            encoder=encoder,
            device=device,
            progress=RichProgress(),
        )
    warn(f"{file}: {why}" for file, why in found.failures.items())
    if json:
        print_json(found.to_json())
    else:
        from rich.console import Console

        from fusible.report.timeline import print_timeline

        for folder, timeline in found.timelines.items():
            print_timeline(timeline, Console())
            typer.echo(f"timeline: {Path(folder) / 'timeline.html'}")
    if not found.timelines:
        return 2
    return 1 if found.failures else 0


@app.command("summarize")
def summarize(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A film.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.mp4", help="The short film to write.")],
    ratio: Annotated[float, typer.Option("--ratio", help="Share of the film's length.")] = 0.15,
    storyboard: Annotated[Path | None, typer.Option("--storyboard", metavar="PNG", help="Also draw its spans.")] = None,
    query: Annotated[str | None, typer.Option("--query", metavar="TEXT", help="What it is to be about.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="RETRIEVER", help="Knows pictures that are like a text.")
    ] = None,
    importance: Annotated[
        Path | None, typer.Option("--importance", metavar="MODEL", help="Learned by `video fit-importance`.")
    ] = None,
    choose: Annotated[
        str, typer.Option("--choose", metavar="HOW", help="knapsack: worth most; diverse: and unlike one another.")
    ] = "knapsack",
    transcript: Annotated[Path | None, typer.Option("--transcript", metavar="FILE", help="What is said.")] = None,
    step: Step = 0.5,
    encoder: Encoder = "image_efficientnet",
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Write the parts of a film that matter most, with their sound, as one film."""
    import fusible
    from fusible.apps.progress import RichProgress
    from fusible.tasks.video.importance_model import load_importance

    with quiet_stdout(json):
        retriever = None if model is None else fusible.load_retriever(model)
        found = fusible.summarize_video(
            file,
            output,
            ratio=ratio,
            board=storyboard,
            query=query,
            retriever=retriever,
            importance=None if importance is None else load_importance(importance),
            choose=choose,
            transcript=transcript,
            step=step,
            encoder=encoder,
            device=device,
            progress=RichProgress(),
        )
    warn(found.analysis.timeline.warnings)
    if json:
        print_json(found.to_json())
        return
    from fusible.tasks.video.storyboard import clock

    spans = ", ".join(f"{clock(start)} to {clock(end)}" for start, end in found.summary.spans)
    typer.echo(f"{found.summary.seconds:.1f} of {found.analysis.watched.seconds:.1f} s: {spans}\nsummary: {output}")


@app.command("moments")
def moments(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Films, or sounds.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Folder to write.")],
    every: Annotated[
        float | None, typer.Option("--every", metavar="SECONDS", help="Cut so often (default: at the shots).")
    ] = None,
    spans: Annotated[
        Path | None, typer.Option("--spans", metavar="TABLE", help="Cut by a table of file, start and end instead.")
    ] = None,
    transcript: Transcripts = None,
    json: options.Json = False,
) -> int:
    """Write OUT/moments.parquet, a row per span of the films, for `fusible align` and `fusible index`."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout(json):
        found = fusible.video_moments(
            files, output, every=every, spans=spans, transcripts=transcript, progress=RichProgress()
        )
    warn(f"{file}: {why}" for file, why in found.failures.items())
    warn(line for lines in found.warnings.values() for line in lines)
    if json:
        print_json(found.to_json())
    elif found.rows:
        count = sum(found.rows.values())
        typer.echo(f"{count:,} moments of {len(found.rows):,} films\ntable: {found.table}")
    if not found.rows:
        return 2
    return 1 if found.failures else 0


@app.command("fit-importance")
def fit_importance(
    scores: Annotated[Path, typer.Argument(metavar="SCORES", help="Table of file, start, end, score, person.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Folder to write.")],
    step: Step = 0.5,
    encoder: Encoder = "image_efficientnet",
    device: options.Device = "cpu",
    json: options.Json = False,
) -> int:
    """Learn what matters in films from what people scored, for `video summarize --importance`; 1 where films failed."""
    import fusible
    from fusible.apps.progress import RichProgress
    from fusible.tasks.folder import check_model

    with quiet_stdout(json):
        check_model(output)
        model = fusible.fit_importance(scores, step=step, encoder=encoder, device=device, progress=RichProgress())
        model.save(output)
    warn(f"{file}: {why}" for file, why in model.failures.items())
    if json:
        print_json({**model.info, "failures": model.failures})
    else:
        for name, one in model.info["agreement"].items():
            shown = (f"{key} {'-' if value is None else f'{value:.3f}'}" for key, value in one.items())
            typer.echo(f"{name}: {', '.join(shown)}")
        typer.echo(f"learned from {model.info['films']} films: {output}")
    return 1 if model.failures else 0
