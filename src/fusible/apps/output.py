"""What the command line gives out: JSON objects and prediction tables, whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusible.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Writer = Callable[["pd.DataFrame", Path], None]


@contextmanager
def quiet_stdout(active: bool = True) -> Iterator[None]:
    """Send what libraries print to standard error, so that standard output holds the result alone."""
    if not active:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def print_json(value: Any) -> None:
    """Print one object; numbers that JSON lacks (NaN, infinity) become null, names that are no text get escapes."""
    from fusible.evaluation.study import plain

    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def warn(problems: Iterable[str]) -> None:
    """Say on standard error what was wrong with single cells."""
    for problem in problems:
        sys.stderr.write(f"warning: {problem}\n")


def check_page(html: str | Path | None) -> Path | None:
    """Refuse, before any work is done, a page that cannot be written."""
    if html is None:
        return None
    place = Path(html)
    if place.is_dir():
        raise ConfigError(f"--html {html}: expected a file to write, got a folder; name a file in it")
    if not place.absolute().parent.is_dir():
        raise ConfigError(f"--html {html}: the folder {place.absolute().parent} does not exist; create it")
    return place


def check_suffix(output: str) -> None:
    """Refuse a file format that cannot be written, before any work is done."""
    if output != "-" and Path(output).suffix.lower() not in WRITERS:
        raise ConfigError(
            f"output {output!r}: expected a file ending in {', '.join(WRITERS)}, or - for standard output"
        )
    if output != "-" and not Path(output).absolute().parent.is_dir():
        raise ConfigError(f"output {output!r}: the folder {Path(output).absolute().parent} does not exist; create it")


def write_table(frame: pd.DataFrame, output: str) -> None:
    """Write predictions by the file's suffix, beside their place and then renamed; "-" is CSV on standard output."""
    check_suffix(output)
    if output == "-":
        frame.to_csv(sys.stdout, index=False)
        return
    path = Path(output)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        WRITERS[path.suffix.lower()](frame, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False)


def _tsv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, sep="\t")


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False)


def _jsonl(frame: pd.DataFrame, path: Path) -> None:
    frame.to_json(path, orient="records", lines=True, force_ascii=False, double_precision=15)


WRITERS: dict[str, Writer] = {".csv": _csv, ".tsv": _tsv, ".parquet": _parquet, ".jsonl": _jsonl}
"""How a table is written, by suffix."""
