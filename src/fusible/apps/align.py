"""The Python face of alignment: `align`, which also writes what it found."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusible.errors import DataError

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
