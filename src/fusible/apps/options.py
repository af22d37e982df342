"""Options that several commands share, and what they parse to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fusible.errors import ConfigError

Data = Annotated[str, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of these.", metavar="DATA")]
Tables = Annotated[
    list[str],
    typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder of these; several: ranks.", metavar="DATA..."),
]
ModelFolder = Annotated[Path, typer.Argument(help="Model folder written by compare or fit.", metavar="MODEL")]
Target = Annotated[str, typer.Option("--target", "-t", help="Column to predict.")]
Targets = Annotated[
    list[str], typer.Option("--target", "-t", help="Column to predict; of several tables, once or once per table.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME=MODALITY[:ROLE]", help="Take a column as this modality and role."),
]
Views = Annotated[
    list[str] | None, typer.Option("--view", metavar="NAME=A,B", help="Join columns of one modality in one view.")
]
Aligned = Annotated[
    list[str] | None, typer.Option("--views", metavar="A B", help="Names of the views to align (default: all).")
]
Encoders = Annotated[
    list[str] | None, typer.Option("--encoder", metavar="VIEW=NAME", help="Encode a view with this encoder.")
]
Strategies = Annotated[
    list[str] | None,
    typer.Option("--strategy", "-s", help="Run this strategy only; may be given several times (default: all)."),
]
Metric = Annotated[str | None, typer.Option("--metric", help="Metric that selects and is reported first.")]
Device = Annotated[str, typer.Option("--device", help="torch device, such as cpu or cuda.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of splits, initial weights and resampling.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Threads that decode media.")]
Cache = Annotated[Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the feature cache.")]

WORKERS = 4
"""Threads that decode media, where the command line does not say."""

Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="TIME", help="After all strategies, search for better ones: 90s, 10m, 1h."),
]
Robust = Annotated[
    bool, typer.Option("--robust", help="Also score every strategy with views missing and corrupted (minutes).")
]


def costly(budget: str | None, robust: bool) -> dict[str, Any]:
    """Options of a study that cost time, where they were asked for."""
    return {**({"budget": budget} if budget else {}), **({"robust": True} if robust else {})}


def spread(arguments: list[str], option: str = "--views") -> list[str]:
    """Repeat an option for each of the words that follow it, as far as the next option.

    >>> spread(["align", "t.csv", "--views", "a", "b", "--json"])
    ['align', 't.csv', '--views', 'a', '--views', 'b', '--json']
    """
    found: list[str] = []
    inside = False
    for word in arguments:
        if inside and not word.startswith("-") and found[-1] != option:
            found.append(option)
        elif word.startswith("-"):
            inside = word == option
        found.append(word)
    return found


def parse_columns(given: list[str] | None) -> dict[str, str] | None:
    """Parse `name=modality[:role]`; the last "=" divides, as a column's name may hold one.

    >>> parse_columns(["a=b=text", "id=:ignore"])
    {'a=b': 'text', 'id': ':ignore'}
    """
    return _pairs(given, "--column", "NAME=MODALITY[:ROLE]", last=True)


def parse_views(given: list[str] | None) -> dict[str, list[str]] | None:
    """Parse `name=a,b`.

    >>> parse_views(["photos=frontal,kitchen"])
    {'photos': ['frontal', 'kitchen']}
    """
    pairs = _pairs(given, "--view", "NAME=COLUMN,COLUMN", last=False)
    return None if pairs is None else {name: columns.split(",") for name, columns in pairs.items()}


def parse_encoders(given: list[str] | None) -> dict[str, str] | None:
    """Parse `view=name`; the first "=" divides, as a path may hold one.

    >>> parse_encoders(["text=hf:models/a=b"])
    {'text': 'hf:models/a=b'}
    """
    return _pairs(given, "--encoder", "VIEW=NAME", last=False)


def parse_about(given: list[str] | None) -> dict[str, str] | None:
    """Parse `column=value`; the last "=" divides, as a column's name may hold one.

    >>> parse_about(["age=24", "occupation=student"])
    {'age': '24', 'occupation': 'student'}
    """
    return _pairs(given, "--about", "COLUMN=VALUE", last=True)


def _pairs(given: list[str] | None, option: str, form: str, *, last: bool) -> dict[str, str] | None:
    if not given:
        return None
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.rpartition("=") if last else text.partition("=")
        if not (name and equals and value):
            raise ConfigError(f"{option} {text!r}: expected {form}")
        if name in pairs:
            raise ConfigError(f"{option}: {name!r} is given twice; give it once")
        pairs[name] = value
    return pairs
