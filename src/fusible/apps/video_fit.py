"""`fusible video fit`: events in films learned from labelled spans, or labels of whole clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import print_json, quiet_stdout
from fusible.errors import ConfigError

if TYPE_CHECKING:
    from fusible.evaluation.study import StudyResult
    from fusible.tasks.video.events_result import Events


def fit_events(spans: Any, films: Any = None, *, output: str | Path | None = None, **given: Any) -> Events:
    """Learn to find events in films from labelled spans; see `fusible.tasks.video.events.fit_events`.

    With `output` the model folder is written there, which `fusible.load_events` and `analyze_video(models=…)` read.

    Raises `FusibleError`, one line: a table, row, file, split, setting or place that cannot be used.
    """
    from fusible.tasks.folder import check_model
    from fusible.tasks.video import events

    place = None if output is None else check_model(Path(output))
    result = events.fit_events(spans, films, **given)
    if place is not None:
        from fusible.report.events import events_card

        result.model.card = events_card(result)
        result.model.save(place)
    return result


def fit_clips(
    data: Any,
    target: str,
    *,
    file: str | None = None,
    transcript: str | None = None,
    output: str | Path | None = None,
    **given: Any,
) -> StudyResult:
    """Learn labels of whole clips from their pictures, sound and transcript: which views carry them, and a model.

    A study as `fusible.compare` makes it, of a table of clips; `best` is the model. With `output` its folder is written
    there, which `fusible.load` and `analyze_video(models=…)` read. `file` and `transcript` name columns, see
    `fusible.tasks.video.clips.clip_table`; all else is as in `fusible.compare`.
    """
    from fusible.apps.study import add_card
    from fusible.tasks.compare import compare
    from fusible.tasks.folder import check_model
    from fusible.tasks.video.clips import clip_table

    place = None if output is None else check_model(Path(output))
    result = compare(clip_table(data, target, file=file, transcript=transcript), target, **given)
    if place is not None:
        add_card(result)
        result.best.save(place)
    return result


def command(
    context: typer.Context,
    data: Annotated[str, typer.Argument(metavar="DATA", help="Folder or table of films; table of clips.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    spans: Annotated[
        Path | None, typer.Option("--spans", metavar="TABLE", help="Events to learn: file, start, end, label a row.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="COL", help="Column of labels of whole clips, in DATA.")
    ] = None,
    file: Annotated[str | None, typer.Option("--file", metavar="COL", help="Column of files.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="COL", help="Column of starts, in seconds.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="COL", help="Column of ends, in seconds.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="COL", help="Column of labels.")] = None,
    sound: Annotated[
        str | None, typer.Option("--sound", metavar="COL", help="Column of sound files, where films have no own.")
    ] = None,
    transcript: Annotated[
        str | None, typer.Option("--transcript", metavar="COL", help="Column of transcripts.")
    ] = None,
    view: Annotated[
        list[str] | None, typer.Option("--view", metavar="NAME", help="Only sound, video or text; several too.")
    ] = None,
    picture: Annotated[
        str | None, typer.Option("--picture", help="motion (a fixed camera), image_efficientnet, or auto.")
    ] = None,
    operator: Annotated[
        list[str] | None, typer.Option("--operator", help="Way of fusing to try (default: concat); several too.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Steps a second (default: by the usual span).")] = None,
    updates: Annotated[int | None, typer.Option("--updates", min=1, help="Training steps of each candidate.")] = None,
    width: Annotated[int | None, typer.Option("--width", min=4, help="Width of the networks.")] = None,
    strategy: options.Strategies = None,
    encoder: options.Encoders = None,
    metric: options.Metric = None,
    workers: options.Workers = None,
    cache: options.Cache = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Learn events from labelled spans (--spans), or labels of whole clips (--target); then `video analyze --model`."""
    shared: dict[str, Any] = {"seed": seed, "device": device, "command": context.obj or "", "output": output}
    named = {"file": file, "start": start, "end": end, "label": label, "sound": sound, "transcript": transcript}
    of_spans: dict[str, Any] = {"view": view, "picture": picture, "operator": operator, "rate": rate}
    of_spans |= {"updates": updates, "width": width}
    of_clips: dict[str, Any] = {"strategy": strategy, "encoder": encoder, "metric": metric}
    of_clips |= {"workers": workers, "cache": cache}
    if spans is not None and target is None:
        _refuse(of_clips, "--spans")
        _learn_events(spans, data, named, of_spans, shared, json)
    elif target is not None and spans is None:
        _refuse({name: named[name] for name in ("start", "end", "label", "sound")} | of_spans, "--target")
        _learn_clips(data, target, named, of_clips, shared, json)
    else:
        raise ConfigError(
            "video fit: expected --spans TABLE, to learn events, or --target COL, to learn labels of clips"
        )


def _learn_events(
    spans: Path, data: str, named: dict[str, str | None], given: dict[str, Any], shared: dict[str, Any], json: bool
) -> None:
    """Learn events, and show what came of it."""
    import fusible
    from fusible.apps.progress import RichProgress

    ways = {"picture": given["picture"], "operators": given["operator"]}
    with quiet_stdout(json):
        events = fusible.fit_events(
            spans,
            data,
            columns={name: column for name, column in named.items() if column is not None},
            views=given["view"],
            rate=given["rate"],
            design=_design(given["updates"], given["width"]),
            progress=RichProgress(),
            **{name: value for name, value in ways.items() if value is not None},
            **shared,
        )
    _show_events(events, shared["output"], json)


def _learn_clips(
    data: str, target: str, named: dict[str, str | None], given: dict[str, Any], shared: dict[str, Any], json: bool
) -> None:
    """Learn labels of clips, and show what came of it."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout(json):
        study = fusible.fit_clips(
            data,
            target,
            file=named["file"],
            transcript=named["transcript"],
            strategies=given["strategy"],
            encoders=options.parse_encoders(given["encoder"]),
            metric=given["metric"],
            workers=given["workers"],
            cache=given["cache"],
            progress=RichProgress(),
            **shared,
        )
    _show_clips(study, shared["output"], json)


def _refuse(given: dict[str, Any], mode: str) -> None:
    """Refuse options that say nothing in a mode."""
    odd = [name for name, value in given.items() if value is not None]
    if odd:
        raise ConfigError(f"video fit: --{odd[0]} says nothing together with {mode}; leave it out")


def _design(updates: int | None, width: int | None) -> Any:
    from fusible.tasks.video.events import Design

    given = {name: value for name, value in {"updates": updates, "width": width}.items() if value is not None}
    return Design(**given)  # type: ignore[arg-type]


def _show_events(result: Events, output: Path, json: bool) -> None:
    if json:
        print_json(result.to_json())
        return
    from rich.console import Console

    from fusible.report.events import print_events

    print_events(result, Console())
    typer.echo(f"model: {output}")


def _show_clips(result: StudyResult, output: Path, json: bool) -> None:
    from fusible.apps.study import show_study

    show_study(result, None, json)
    if not json:
        typer.echo(f"model: {output}")
