"""The commands of retrieval: `index`, which writes a table's rows to an index, and `search`, which finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fusible.apps import options
from fusible.apps.output import check_page, print_json, quiet_stdout
from fusible.errors import ConfigError

IndexFolder = Annotated[Path, typer.Argument(help="Index written by `fusible index`.", metavar="INDEX")]


def index(
    data: Annotated[
        str | None, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of these.", metavar="[DATA]")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="INDEX", help="Folder of the index.")] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", metavar="M", help="Retriever or aligner folder (default: that of the index)."),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id", metavar="COL", help="Column that names the rows (default: row numbers).")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Also delete rows that are not in DATA.")] = False,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", metavar="ID", help="Delete this row, without DATA; repeatable.")
    ] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Then join small files, rebuild graphs, and drop old versions.")
    ] = False,
    device: options.Device = "cpu",
    workers: options.Workers = None,
    cache: options.Cache = None,
    json: options.Json = False,
) -> None:
    """Write rows of a table to an index, or bring one up to date: rows that it holds already are left as they are."""
    from fusible.apps.progress import RichProgress

    if output is None:
        raise ConfigError("index: expected a folder to write to; give it with -o INDEX")
    if data is None and not delete and not compact:
        raise ConfigError("index: nothing to do; give DATA, --delete ID or --compact")
    if data is not None and delete:
        raise ConfigError("index: --delete goes without DATA; to delete rows that are not in DATA give --prune")
    unused = [name for name, value in (("--id", id_column), ("--prune", prune), ("--model", model)) if value]
    if data is None and unused:
        raise ConfigError(f"index: {unused[0]} goes with DATA; leave it out with --delete and --compact")
    from fusible.tasks import indexing

    with quiet_stdout():
        if data is not None:
            given: dict[str, Any] = {"device": device, "workers": workers, "cache": cache, "progress": RichProgress()}
            found = indexing.build_index(data, model, output, id=id_column, prune=prune, **given)
        elif delete:
            found = indexing.delete_rows(output, delete)
        if compact:
            found = indexing.compact_index(output, found if data is not None or delete else None)
    if json:
        print_json(found.to_json())
        return
    from rich.console import Console

    from fusible.report.search import print_indexed

    print_indexed(found, Console())
    typer.echo(f"index: {output}")


def search(
    context: typer.Context,
    place: IndexFolder,
    text: Annotated[str | None, typer.Option("--text", "-t", help="Find what belongs to this text.")] = None,
    image: Annotated[str | None, typer.Option("--image", metavar="F", help="… to this picture.")] = None,
    audio: Annotated[str | None, typer.Option("--audio", metavar="F", help="… to this sound.")] = None,
    video: Annotated[str | None, typer.Option("--video", metavar="F", help="… to this video.")] = None,
    row: Annotated[str | None, typer.Option("--row", metavar="ID", help="… to this row of the index.")] = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", metavar="VIEW=VALUE", help="… to this text or file, as this view.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option("--value", metavar="COLUMN=CELL", help="… to these numbers and categories.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help='Only rows for which this holds: "price < 20".')
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=10_000, help="Results to show.")] = 10,
    modality: Annotated[
        str | None, typer.Option("--modality", metavar="M", help="Look at views of this modality, or name, alone.")
    ] = None,
    words: Annotated[
        float, typer.Option("--words", min=0.0, help="Weight of full text, for queries of text alone; 0: none.")
    ] = 1.0,
    each: Annotated[bool, typer.Option("--each", help="Show rows that hold nearly the same one by one.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say which words, patches and stretches of sound matter.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", metavar="M", help="Where the index's model is, if it was moved.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Page to write.")] = None,
    json: options.Json = False,
) -> None:
    """Find rows of an index by text, picture, sound, video, or another row; several make one query."""
    check_page(html)
    given: dict[str, Any] = {"image": image, "audio": audio, "video": video, "row": row}
    given |= {"query": options._pairs(query, "--query", "VIEW=VALUE", last=False)}
    given |= {"value": options._pairs(value, "--value", "COLUMN=CELL", last=True)}
    if text is None and not any(given.values()):
        raise ConfigError("empty query: give --text, --image, --audio, --video, --row, --query or --value")
    import fusible

    with quiet_stdout():
        searcher = fusible.open_index(place, model)
        found = searcher.search(
            text, **given, where=where, k=k, modality=modality, words=words, alike=not each, explain=explain
        )
    found.command = context.obj
    if html is not None:
        from fusible.report.search import write_page

        write_page(found, html)
    if json:
        print_json(found.to_json())
        return
    from rich.console import Console

    from fusible.report.search import print_results

    print_results(found, Console())
    if html is not None:
        typer.echo(f"page: {html}")
