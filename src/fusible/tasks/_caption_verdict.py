"""The verdict of a captioning fit: the writer that validation inputs choose, against baselines and single views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusible.evaluation.ratio import paired
from fusible.evaluation.study import Difference
from fusible.evaluation.verdict import verdict
from fusible.evaluation.written import WriterResult, best_of, sign

FUSED, SINGLE, MODEL, BASELINE = "fused", "single", "model", "baseline"
"""Kinds of writers: their names are `fused:<operator>`, `single:<view>` and `model:product`; baselines have others."""


def chosen_of(rows: list[WriterResult], metric: str, kinds: tuple[str, ...] = (FUSED, SINGLE, MODEL)) -> str:
    """The writer of some kinds that validation inputs choose."""
    valid = {row.name: row.valid for row in rows if row.kind in kinds and row.valid is not None}
    return max(valid, key=lambda name: sign(metric) * valid[name])


def judged(rows: list[WriterResult], metric: str, chosen: str) -> dict[str, Any]:
    """The chosen writer against the best baseline, and fusion against the best view alone: fields of `Captions`."""
    baselines = {row.name: row for row in rows if row.kind == BASELINE}
    writers = {row.name: row for row in rows if row.kind != BASELINE}
    against = {name: _difference(writers[chosen], row, metric) for name, row in baselines.items()}
    rival = best_of(baselines, metric)
    return {
        "rival": rival,
        "verdict": verdict(against[rival]),
        "difference": against[rival],
        "against": against,
        "fusion": _fusion(writers, metric) if len(writers) > 1 else None,
    }


def _fusion(writers: Mapping[str, WriterResult], metric: str) -> dict[str, Any]:
    """Whether fusing is better than the best view alone; each side's best is chosen on validation inputs."""
    rows = list(writers.values())
    single, fused = chosen_of(rows, metric, (SINGLE,)), chosen_of(rows, metric, (FUSED, MODEL))
    found = _difference(writers[fused], writers[single], metric)
    return {"best_single": single, "best_fused": fused, "verdict": verdict(found), "difference": found}


def _difference(one: WriterResult, other: WriterResult, metric: str) -> Difference:
    return paired(one.ratios[metric], other.ratios[metric], sign(metric))
