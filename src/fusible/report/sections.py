"""Sections of the page that a study may have or not, each beside a partial template of the same name."""

from __future__ import annotations

from typing import Any

from fusible.evaluation.metrics import score
from fusible.evaluation.reliability import reliability
from fusible.evaluation.study import StudyResult
from fusible.report._reliability import reliability_diagram
from fusible.report._words import number
from fusible.report.attribution import attribution_content, balance_content
from fusible.report.complementarity import complementarity_content
from fusible.report.robustness import robustness_content


def sections(result: StudyResult) -> dict[str, Any]:
    """Give what each optional section shows, by the name that the template knows it by; None where it is left out."""
    return {
        "reliable": result.task.kind != "regression" and bool(result.predictions),
        "complementarity": complementarity_content(result),
        "attribution": None if result.attribution is None else attribution_content(result.attribution),
        "robustness": robustness_content(result.robustness, None if result.auto == result.best_single else result.auto),
        "balance": None if result.balance is None else balance_content(result.balance),
    }


def reliability_figures(result: StudyResult) -> list[dict[str, Any]]:
    """Draw the reliability of auto and of the best single view, where that is another."""
    names = [result.auto] if result.auto == result.best_single else [result.auto, result.best_single]
    answer = "share that holds" if result.task.kind == "multilabel" else "share that is right"
    figures = []
    for name in names:
        if name in result.predictions:
            given = result.predictions[name]
            error = number(score("ece", result.task, result.truth, given))
            plot = reliability_diagram(reliability(result.task, result.truth, given), answer)
            figures.append({"title": f"Reliability of {name}; calibration error {error}", "plot": plot})
    return figures
