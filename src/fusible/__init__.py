"""Fusible: cross-modal fusion that tells you whether it helps.

Everything public stands in `fusible.__all__`, and is imported when it is first asked for.

>>> import fusible
>>> {"compare", "load", "read"} <= set(fusible.__all__)
True
>>> print(*sorted(fusible.__all__)[:10])
GraphSearcher LinkSettings align analyze_video ask_graph build_graph build_index compact_index compare compare_all
>>> print(*sorted(fusible.__all__)[10:21])
delete_rows demo evaluate explain fit fit_answers fit_captions fit_clips fit_events fit_extractor fit_importance
>>> print(*sorted(fusible.__all__)[21:30])
fit_links fit_recommender fit_retrieval fit_sync inspect load load_aligner load_answerer load_captioner
>>> print(*sorted(fusible.__all__)[30:38])
load_events load_extractor load_importance load_links load_recommender load_retriever load_sync mine_rules
>>> print(*sorted(fusible.__all__)[38:48])
open_index predict query_graph read read_graph robustness search_graph summarize_video sync_video video_moments
>>> print(*sorted(fusible.__all__)[48:])
write_graph
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fusible.apps.align import align
    from fusible.apps.answers import fit_answers
    from fusible.apps.captions import fit_captions
    from fusible.apps.explain import explain
    from fusible.apps.graph import fit_links
    from fusible.apps.graph_extract import fit_extractor
    from fusible.apps.models import evaluate, predict
    from fusible.apps.recommend import fit_recommender
    from fusible.apps.robustness import robustness
    from fusible.apps.several import compare_all
    from fusible.apps.study import compare, demo, fit
    from fusible.apps.video import analyze_video, summarize_video, video_moments
    from fusible.apps.video_fit import fit_clips, fit_events
    from fusible.apps.video_sync import sync_video
    from fusible.data.graph import read_graph
    from fusible.data.graph_writer import write_graph
    from fusible.data.read import read
    from fusible.tasks.aligner import load_aligner
    from fusible.tasks.answerer import load_answerer
    from fusible.tasks.captioner import load_captioner
    from fusible.tasks.folder import load
    from fusible.tasks.indexing import build_index, compact_index, delete_rows
    from fusible.tasks.inspect import inspect
    from fusible.tasks.knowledge.construct.build import build_graph
    from fusible.tasks.knowledge.extract.extractor import load_extractor
    from fusible.tasks.knowledge.links.fit import LinkSettings
    from fusible.tasks.knowledge.links.model import load_links
    from fusible.tasks.knowledge.query.ask import query_graph
    from fusible.tasks.knowledge.rules.mined import mine_rules
    from fusible.tasks.knowledge.search.searcher import GraphSearcher, search_graph
    from fusible.tasks.knowledge.sparql import ask_graph
    from fusible.tasks.recommend.stored import load_recommender
    from fusible.tasks.retrieval import fit_retrieval
    from fusible.tasks.retriever import load_retriever
    from fusible.tasks.searching import open_index
    from fusible.tasks.video.events_model import load_events
    from fusible.tasks.video.importance_model import fit_importance, load_importance
    from fusible.tasks.video.synchronising import fit_sync, load_sync

__version__ = "0.1.0"

__all__ = [
    "GraphSearcher",
    "LinkSettings",
    "align",
    "analyze_video",
    "ask_graph",
    "build_graph",
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
    "fit_clips",
    "fit_events",
    "fit_extractor",
    "fit_importance",
    "fit_links",
    "fit_recommender",
    "fit_retrieval",
    "fit_sync",
    "inspect",
    "load",
    "load_aligner",
    "load_answerer",
    "load_captioner",
    "load_events",
    "load_extractor",
    "load_importance",
    "load_links",
    "load_recommender",
    "load_retriever",
    "load_sync",
    "mine_rules",
    "open_index",
    "predict",
    "query_graph",
    "read",
    "read_graph",
    "robustness",
    "search_graph",
    "summarize_video",
    "sync_video",
    "video_moments",
    "write_graph",
]

_PLACES = {
    "GraphSearcher": "fusible.tasks.knowledge.search.searcher",
    "LinkSettings": "fusible.tasks.knowledge.links.fit",
    "search_graph": "fusible.tasks.knowledge.search.searcher",
    "query_graph": "fusible.tasks.knowledge.query.ask",
    "mine_rules": "fusible.tasks.knowledge.rules.mined",
    "fit_recommender": "fusible.apps.recommend",
    "load_recommender": "fusible.tasks.recommend.stored",
    "load_links": "fusible.tasks.knowledge.links.model",
    "fit_links": "fusible.apps.graph",
    "fit_extractor": "fusible.apps.graph_extract",
    "load_extractor": "fusible.tasks.knowledge.extract.extractor",
    "load_importance": "fusible.tasks.video.importance_model",
    "fit_importance": "fusible.tasks.video.importance_model",
    "video_moments": "fusible.apps.video",
    "write_graph": "fusible.data.graph_writer",
    "align": "fusible.apps.align",
    "analyze_video": "fusible.apps.video",
    "ask_graph": "fusible.tasks.knowledge.sparql",
    "build_graph": "fusible.tasks.knowledge.construct.build",
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
    "fit_clips": "fusible.apps.video_fit",
    "fit_events": "fusible.apps.video_fit",
    "fit_retrieval": "fusible.tasks.retrieval",
    "fit_sync": "fusible.tasks.video.synchronising",
    "evaluate": "fusible.apps.models",
    "predict": "fusible.apps.models",
    "inspect": "fusible.tasks.inspect",
    "load": "fusible.tasks.folder",
    "load_aligner": "fusible.tasks.aligner",
    "load_answerer": "fusible.tasks.answerer",
    "load_captioner": "fusible.tasks.captioner",
    "load_events": "fusible.tasks.video.events_model",
    "load_retriever": "fusible.tasks.retriever",
    "load_sync": "fusible.tasks.video.synchronising",
    "open_index": "fusible.tasks.searching",
    "read": "fusible.data.read",
    "read_graph": "fusible.data.graph",
    "robustness": "fusible.apps.robustness",
    "summarize_video": "fusible.apps.video",
    "sync_video": "fusible.apps.video_sync",
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
