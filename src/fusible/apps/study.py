"""The Python face of studies: `compare`, `fit` and `demo`, which also write what they found."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusible.apps.output import print_json
from fusible.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fusible.evaluation.study import StudyResult
    from fusible.tasks.model import Model

HELD = frozenset({"report.html", "study.json", "best"})
"""All that a study's folder holds."""


def compare(data: Any, target: str, *, output: str | Path | None = None, **options: Any) -> StudyResult:
    """Fit every strategy on one split, say whether fusing helps, and with `output` write the study's folder.

    The folder holds `report.html`, `study.json` and `best/`, the model of `auto`; it appears whole or not at all, in
    place of an earlier study. All other options are those of `fusible.tasks.compare.compare`.
    """
    from fusible.tasks.compare import compare as run

    place = None if output is None else check_study(Path(output))
    result = run(data, target, **options)
    if place is not None:
        write_study(result, place)
    return result


def demo(*, output: str | Path | None = None, **options: Any) -> StudyResult:
    """Run the demonstration on easy-VQA; options as in `fusible.tasks.demo.demo`, `output` as in `compare`."""
    from fusible.tasks.demo import demo as run

    place = None if output is None else check_study(Path(output))
    result = run(**options)
    if place is not None:
        write_study(result, place)
    return result


def fit(data: Any, target: str, *, strategy: str = "auto", output: str | Path | None = None, **options: Any) -> Model:
    """Fit one strategy (default `auto`: compare all, keep the chosen one) and give its model.

    With `output` the model folder is written there. Raises `ConfigError` for a strategy that does not exist here.
    """
    from fusible.tasks.compare import compare as run
    from fusible.tasks.folder import check_model

    place = None if output is None else check_model(Path(output))
    wanted: Sequence[str] | None = None if strategy == "auto" else [strategy]
    result = run(data, target, strategies=wanted, keep=None if strategy == "auto" else strategy, **options)
    model: Model = result.best
    add_card(result)
    if place is not None:
        model.save(place)
    return model


def check_study(place: Path) -> Path:
    """Refuse, before any work, a place that holds something else than a study."""
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: expected a folder to write the study to, got a file; choose another -o")
    if place.is_dir():
        found = {path.name for path in place.iterdir()}
        if found and ("study.json" not in found or found - HELD):
            raise DataError(f"{place}: expected a new path, an empty folder or an earlier study; choose another -o")
    return place


def write_study(result: StudyResult, place: Path) -> None:
    """Write report, JSON and model beside their place, then rename."""
    from fusible.report.html import write_report
    from fusible.tasks.folder import replace

    add_card(result)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        beside.chmod(0o755)
        write_report(result, beside / "report.html")
        result.best.save(beside / "best")
        (beside / "study.json").write_text(json.dumps(result.to_json(), ensure_ascii=False, indent=1), "utf-8")
        replace(beside, place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def show_study(result: StudyResult, output: Path | None, json: bool) -> None:
    """Print what was found, for people or as one JSON object."""
    if json:
        print_json(result.to_json())
        return
    from rich.console import Console

    from fusible.report.terminal import print_study

    print_study(result, Console())
    if output is not None:
        sys.stdout.write(f"report: {output / 'report.html'}\nmodel:  {output / 'best'}\n")


def add_card(result: StudyResult) -> None:
    """Write the model card of a study into its model."""
    from fusible.report.card import model_card

    if result.best is None:
        raise ConfigError("the study holds no fitted model; run compare without taking `best` away")
    result.best.card = model_card(result)
