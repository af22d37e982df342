"""`fusible video sync` and `fusible video fit-sync`: by how much the sound of films is late."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import print_json, quiet_stdout, warn

if TYPE_CHECKING:
    from fusible.tasks.video.synchronising import Synced
    from fusible.tasks.video.synchrony import Offset

Most = Annotated[
    float | None, typer.Option("--most", metavar="SECONDS", help="Sound is early or late by at most this (default: 1).")
]


def sync_video(files: str | Path | Sequence[str | Path], **given: Any) -> Synced:
    """Say by how much the sound of films is late; see `fusible.tasks.video.synchronising.sync_films`."""
    from fusible.tasks.video.synchronising import sync_films

    return sync_films([files] if isinstance(files, str | Path) else list(files), **given)


def sync(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Films with sound.")],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="What `video fit-sync` learned from like films.")
    ] = None,
    most: Most = None,
    json: options.Json = False,
) -> int:
    """Say by how much the sound of each film is late or early; exit code 1 where some failed."""
    import fusible
    from fusible.apps.progress import RichProgress

    with quiet_stdout(json):
        found = fusible.sync_video(files, model=model, most=most, progress=RichProgress())
    warn(f"{file}: {why}" for file, why in found.failures.items())
    if json:
        print_json(found.to_json())
    else:
        for file, offset in found.offsets.items():
            typer.echo(f"{file}: {_said(offset)}")
    if not found.offsets:
        return 2
    return 1 if found.failures else 0


def fit(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Folder or table of films whose sound is right.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Model folder to write.")],
    file: Annotated[str | None, typer.Option("--file", metavar="COL", help="Column of files.")] = None,
    most: Most = None,
    json: options.Json = False,
) -> None:
    """Learn from films whose sound is right, such as clips of one talker, what `video sync --model` looks for."""
    import fusible

    with quiet_stdout(json):
        model = fusible.fit_sync(data, file=file, output=output, **({} if most is None else {"most": most}))
    found = {"clips": model.clips_, "found": model.found_, "correlations": model.correlations_.tolist()}
    if json:
        print_json(found)
        return
    from fusible.tasks.video._lags import TOLERANCE

    typer.echo(
        f"learned from {model.clips_} clips; of held-out ones, shifted on purpose, {model.found_:.0%} were found "
        f"within {TOLERANCE * 1000:.0f} ms\nmodel: {output}"
    )


def _said(offset: Offset) -> str:
    """An offset in words."""
    from fusible.tasks.video._lags import TOLERANCE

    way = "late" if offset.seconds >= 0 else "early"
    told = f"sound {abs(offset.seconds):.2f} s {way}"
    if not offset.known:
        return f"not known; the best guess, {told}, is {offset.confidence:.0%} sure"
    lead = "in synchrony, " if abs(offset.seconds) <= TOLERANCE else ""
    return f"{lead}{told}, {offset.confidence:.0%} sure"
