"""The Python face and the command of alignment: `align`, which also writes what it found."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import print_json, quiet_stdout
from fusible.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusible.evaluation.alignment import Alignment

HELD = frozenset({"report.html", "alignment.json", "aligner"})
"""All that an alignment's folder holds."""


def align(
    data: Any,
    views: Sequence[str] | None = None,
    method: str | None = None,
    *,
    output: str | Path | None = None,
    **options: Any,
) -> Alignment:
    """Fit an aligner on training rows, measure on test rows what the views share, and with `output` write a folder.

    The folder holds `report.html`, `alignment.json` and `aligner/`, which `fusible.load_aligner` reads; it appears
    whole or not at all, in place of an earlier one. All other options are those of `fusible.tasks.align.align`.
    """
    from fusible.tasks.align import align as run

    place = None if output is None else check_alignment(Path(output))
    result = run(data, views, method, **options)
    if place is not None:
        write_alignment(result, place)
    return result


def check_alignment(place: Path) -> Path:
    """Refuse, before any work, a place that holds something else than an alignment."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: expected a folder to write the alignment to, got a file; choose another -o")
    if place.is_dir():
        found = {path.name for path in place.iterdir()}
        if found and ("alignment.json" not in found or found - HELD):
            raise DataError(f"{place}: expected a new path, an empty folder or an earlier alignment; choose another -o")
    return place


def write_alignment(result: Alignment, place: Path) -> None:
    """Write report, JSON and aligner beside their place, then rename."""
    from fusible.report.alignment import write_report
    from fusible.tasks.folder import replace

    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        beside.chmod(0o755)
        write_report(result, beside / "report.html")
        result.aligner.save(beside / "aligner")
        (beside / "alignment.json").write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1), "utf-8")
        replace(beside, place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def command(
    context: typer.Context,
    data: options.Data,
    views: options.Aligned = None,
    method: Annotated[
        str | None, typer.Option("--method", "-m", help="Aligner (default: cca for two views, mcca for more).")
    ] = None,
    components: Annotated[
        int | None, typer.Option("--components", min=1, help="Dimensions of the common space (default: chosen).")
    ] = None,
    for_search: Annotated[
        bool, typer.Option("--for-search", help="Fit what finds most, for `fusible index`, and calibrate it.")
    ] = False,
    target: Annotated[
        str | None, typer.Option("--target", "-t", help="With --for-search: items of one class belong together.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT", help="Folder to write.")] = None,
    column: options.Columns = None,
    view: options.Views = None,
    encoder: options.Encoders = None,
    device: options.Device = "cpu",
    seed: options.Seed = 0,
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Say what views share: held-out canonical correlations; with -o also OUT/report.html and OUT/aligner/.

    With --for-search: how well views find one another, and with -o OUT/retriever/ for `fusible index`.
    """
    import fusible
    from fusible.apps.progress import RichProgress

    given: dict[str, Any] = {
        "columns": options.parse_columns(column),
        "join": options.parse_views(view),
        "encoders": options.parse_encoders(encoder),
        "seed": seed,
        "output": output,
        "device": device,
        "workers": workers,
        "cache": cache,
        "progress": RichProgress(),
        "command": context.obj,
    }
    if for_search and components is not None:
        raise ConfigError("--components: chosen on validation rows with --for-search; leave it out")
    if target is not None and not for_search:
        raise ConfigError("--target: goes with --for-search; alignment by itself needs none")
    with quiet_stdout(json):
        if for_search:
            found: Any = fusible.fit_retrieval(data, views, target=target, methods=method and [method], **given)
        else:
            found = fusible.align(data, views, method, components=components, **given)
    if json:
        print_json(found.to_json())
        return
    _show(found, output, for_search=for_search)


def _show(found: Any, output: Path | None, *, for_search: bool) -> None:
    from rich.console import Console

    if for_search:
        from fusible.report.retrieval import print_retrieval

        print_retrieval(found, Console())
    else:
        from fusible.report.alignment import print_alignment

        print_alignment(found, Console())
    if output is not None and for_search:
        typer.echo(f"retriever: {output / 'retriever'}")
    elif output is not None:
        typer.echo(f"report:  {output / 'report.html'}\naligner: {output / 'aligner'}")
