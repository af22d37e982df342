"""The Python face of studies over several tables: a folder of studies, which a later run goes on from."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusible.apps.output import print_json
from fusible.apps.study import check_study, compare, show_study, write_study
from fusible.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fusible.evaluation.several import SeveralResult, TableStudy
    from fusible.evaluation.study import StudyResult
    from fusible.tasks.several import Table

INDEX = "studies.json"
FORMAT = 1


def compare_all(
    tables: Sequence[Any] | Mapping[str, Any],
    target: str | Sequence[str],
    *,
    output: str | Path | None = None,
    **options: Any,
) -> SeveralResult:
    """Run `compare` on each of several tables and rank the strategies over all.

    With `output`, that folder gets `<name>/` for each table, as `compare` writes it, an index `report.html` and
    `studies.json`. A run that was ended goes on where it was: a table whose cells, target and options are those of a
    study in the folder is not studied again. Files that cells name are taken to be unchanged. All other options are
    those of `fusible.tasks.several.compare_all`. Raises `DataError` where the folder holds something else.
    """
    from fusible.tasks.several import compare_all as run

    if output is None:
        return run(tables, target, **options)
    folder = StudyFolder(Path(output))
    result = run(tables, target, store=folder, **options)
    folder.finish(result)
    return result


def comparison(data: Sequence[str], targets: Sequence[str]) -> tuple[Callable[..., Any], Callable[..., None]]:
    """Give what compares one table or several, and what shows the result; a single table has a single target."""
    if len(data) > 1:
        return partial(compare_all, data, targets), show_several
    if len(targets) != 1:
        raise ConfigError(f"--target: expected one column for one table, got {len(targets)}: {', '.join(targets)}")
    return partial(compare, data[0], targets[0]), show_study


def show_several(result: SeveralResult, output: Path | None, json: bool) -> None:
    """Print what was found, for people or as one JSON object."""
    if json:
        print_json(result.to_json())
        return
    from fusible.report.several import print_several

    print_several(result)
    if output is not None:
        sys.stdout.write(f"report: {output / 'report.html'}\n")


class StudyFolder:
    """Finished studies below one folder, each in a folder of its own, with their keys in `studies.json`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.keys = _keys(place)

    def find(self, table: Table) -> TableStudy | None:
        """Give the study of this table, target and options, if it was finished here."""
        place = check_study(self.place / table.name)
        if self.keys.get(table.name) != table.key or not (place / "study.json").is_file():
            return None
        from fusible.evaluation.several import TableStudy

        return TableStudy(table.name, table.where, _read(place / "study.json"), table.name)

    def keep(self, table: Table, result: StudyResult) -> TableStudy:
        """Write the study's folder, then its key."""
        self.place.mkdir(parents=True, exist_ok=True)
        write_study(result, self.place / table.name)
        self.keys[table.name] = table.key
        self._write(None)
        from fusible.evaluation.several import TableStudy

        return TableStudy(table.name, table.where, result.to_json(), table.name)

    def finish(self, result: SeveralResult) -> None:
        """Write the index page and what was found."""
        from fusible.report.several import write_index

        write_index(result, self.place / "report.html")
        self._write(result)

    def _write(self, result: SeveralResult | None) -> None:
        found = {"format": FORMAT, "keys": self.keys, "result": None if result is None else result.to_json()}
        beside = self.place / f".{INDEX}.{os.getpid()}"
        try:
            beside.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")
            beside.replace(self.place / INDEX)
        finally:
            beside.unlink(missing_ok=True)


def _keys(place: Path) -> dict[str, str]:
    """Keys of the studies in a folder; refuses, before any work, a place that holds something else."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: expected a folder to write the studies to, got a file; choose another -o")
    if (place / INDEX).is_file():
        found = _read(place / INDEX)
        keys = found.get("keys")
        if found.get("format") != FORMAT or not isinstance(keys, dict):
            raise DataError(f"{place / INDEX}: expected format {FORMAT} with keys; delete it to study all tables anew")
        return {str(name): str(key) for name, key in keys.items()}
    if place.is_dir() and any(place.iterdir()):
        raise DataError(f"{place}: expected a new path, an empty folder or earlier studies of several; choose another")
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: cannot be read ({error}); delete its folder to study the table anew") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(found).__name__}; delete it")
    return found
