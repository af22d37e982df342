"""Fusible: cross-modal fusion that tells you whether it helps.

>>> import fusible
>>> print(*sorted(fusible.__all__)[:12])
align analyze_video build_index compact_index compare compare_all delete_rows demo evaluate explain fit fit_answers
>>> print(*sorted(fusible.__all__)[12:20])
fit_captions fit_retrieval inspect load load_aligner load_answerer load_captioner load_retriever
>>> print(*sorted(fusible.__all__)[20:])
open_index predict read robustness summarize_video
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusible.apps.align import align
    from fusible.apps.answers import fit_answers
    from fusible.apps.captions import fit_captions
    from fusible.apps.explain import explain
    from fusible.apps.models import evaluate, predict
    from fusible.apps.robustness import robustness
    from fusible.apps.several import compare_all
    from fusible.apps.study import compare, demo, fit
    from fusible.apps.video import analyze_video, summarize_video
    from fusible.data.read import read
    from fusible.tasks.aligner import load_aligner
    from fusible.tasks.answerer import load_answerer
    from fusible.tasks.captioner import load_captioner
    from fusible.tasks.folder import load
    from fusible.tasks.indexing import build_index, compact_index, delete_rows
    from fusible.tasks.inspect import inspect
    from fusible.tasks.retrieval import fit_retrieval
    from fusible.tasks.retriever import load_retriever
    from fusible.tasks.searching import open_index

__version__ = "0.1.0"

__all__ = [
    "align",
    "analyze_video",
    "build_index",
    "compact_index",
    "compare",
    "compare_all",
    "delete_rows",
    "demo",
    "evaluate",
    "explain",
    "fit",
    "fit_answers",
    "fit_captions",
    "fit_retrieval",
    "inspect",
    "load",
    "load_aligner",
    "load_answerer",
    "load_captioner",
    "load_retriever",
    "open_index",
    "predict",
    "read",
    "robustness",
    "summarize_video",
]

_PLACES = {
    "align": "fusible.apps.align",
    "analyze_video": "fusible.apps.video",
    "build_index": "fusible.tasks.indexing",
    "compact_index": "fusible.tasks.indexing",
    "compare": "fusible.apps.study",
    "compare_all": "fusible.apps.several",
    "delete_rows": "fusible.tasks.indexing",
    "demo": "fusible.apps.study",
    "explain": "fusible.apps.explain",
    "fit": "fusible.apps.study",
    "fit_answers": "fusible.apps.answers",
    "fit_captions": "fusible.apps.captions",
    "fit_retrieval": "fusible.tasks.retrieval",
    "evaluate": "fusible.apps.models",
    "predict": "fusible.apps.models",
    "inspect": "fusible.tasks.inspect",
    "load": "fusible.tasks.folder",
    "load_aligner": "fusible.tasks.aligner",
    "load_answerer": "fusible.tasks.answerer",
    "load_captioner": "fusible.tasks.captioner",
    "load_retriever": "fusible.tasks.retriever",
    "open_index": "fusible.tasks.searching",
    "read": "fusible.data.read",
    "robustness": "fusible.apps.robustness",
    "summarize_video": "fusible.apps.video",
}


def __getattr__(name: str) -> Any:
    """Import a public function where it is first used, so that `import fusible` stays quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'fusible' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]
