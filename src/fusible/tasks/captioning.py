"""Captioning: texts written of pictures, sounds and videos, trained on the user's own table, beside blind baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from fusible import registry
from fusible.data.cache import ArrayCache
from fusible.decoders._generate import Generation
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._base import Encoder
from fusible.errors import ConfigError, DataError
from fusible.evaluation.cost import Stages
from fusible.evaluation.verdict import verdict
from fusible.evaluation.ratio import paired
from fusible.evaluation.written import Captions, WriterResult, best_of, sign
from fusible.tasks._caption_baselines import frequent, nearest
from fusible.tasks._caption_critic import criticise
from fusible.tasks._caption_data import LONGEST, Material, columns_of, material
from fusible.tasks._caption_examples import examples
from fusible.tasks._caption_fit import Design, encoder_names, fit_writer, ready, training_of
from fusible.tasks._caption_score import check_metric, score
from fusible.tasks._caption_tune import tune as tuned
from fusible.tasks.captioner import model_of
from fusible.tasks.results import versions
from fusible.tasks.source import Progress
from fusible.tasks.writer import Author, Writer, Writers

METRIC = "cider_d"
FUSED, SINGLE, MODEL = "fused", "single", "model"
"""Kinds of writers: their names are `fused:<operator>`, `single:<view>` and `model:product`."""
BLIND, NEAREST, FREQUENT = "blind decoder", "nearest neighbour", "most frequent"
BEAMS = 3
PARTS = ("train", "valid")


def fit_captions(
    data: Any,
    text: str | Sequence[str],
    *,
    image: str | Sequence[str] | None = None,
    audio: str | Sequence[str] | None = None,
    video: str | Sequence[str] | None = None,
    prompt: str | Sequence[str] | None = None,
    views: Mapping[str, Sequence[str]] | None = None,
    decoder: str = "transformer",
    operator: str | None = "concat",
    encoders: Mapping[str, str] | None = None,
    tokenizer: str | Path | None = None,
    metric: str = METRIC,
    tune: bool = False,
    self_critical: int = 0,
    beams: int = BEAMS,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int | None = None,
    cache: str | Path | ArrayCache | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Captions:
    """Train what writes a text about pictures, sounds or videos, and score it beside what writes without looking.

    Rows that show the same item are references of one another. Of several views each is also captioned alone, so that
    the result says whether fusing helps; all these writers also write together, as `model:product`. Early stopping and
    the choice among writers see validation rows only.

    Parameters
    ----------
    data : path, pandas.DataFrame, pyarrow.Table or Dataset
        The table; see `fusible.read`. Its `split` column decides, or rows are drawn, items kept whole.
    text : str or sequence of str
        Columns of texts: several give several references per row.
    image, audio, video, prompt : str or sequence of str, optional
        Input columns, one media column at least. A video column named as audio too gives its sound track. A prompt is a
        text that is answered, such as a question.
    views : mapping, optional
        Columns of one modality to join in one view.
    decoder : str
        `transformer`, or `lstm` with attention (Xu et al., 2015), or any registered decoder.
    operator : str, optional
        Fusion operator over the views' vectors, one token of what the decoder reads; None leaves it out.
    encoders : mapping, optional
        `{view: encoder}` in place of the default rule. Frozen ones are encoded once and cached, others trained along.
    tokenizer : path, optional
        A `tokenizer.json` in place of one learned from the training texts.
    metric : str
        What chooses and is reported first: `cider_d`, `rouge_l`, `exact`, or `wer` (less is better).
    tune : bool
        Then train pretrained encoders along, slowly; kept where validation loss falls.
    self_critical : int
        Epochs of self-critical training after the rest, with CIDEr-D as reward (Rennie et al., CVPR 2017).
    beams : int
        Hypotheses of beam search when texts are scored.
    epochs : int, optional
        Epochs of training, in place of a number by the size of the table.
    seed, device, workers, cache, progress, command
        As in `fusible.compare`.

    Returns
    -------
    Captions
        Scores with intervals, the verdict against the best baseline; `model` is the fitted `CaptionModel`.

    Raises
    ------
    FusibleError
        One line: a table, column, encoder, decoder, split or setting that cannot be used.
    """
    start, stages = time.perf_counter(), Stages()
    registry.get("decoders", decoder)
    check_metric(metric)
    if operator is not None:
        registry.get("fusion", operator)
    inputs = columns_of({"image": image, "audio": audio, "video": video, "prompt": prompt})
    texts = [text] if isinstance(text, str) else list(text)
    with stages("read"):
        found = material(
            data, texts, inputs, views, seed=seed, device=device, workers=workers, cache=cache, progress=progress
        )
        vocabulary = Vocabulary.read(tokenizer) if tokenizer is not None else Vocabulary.learn(found.pairs("train")[1])
    _note_long(found, vocabulary)
    with stages("encode"):
        names = encoder_names(found, encoders or {})
        own = {view.name: (names[view.name][0], ready(found, view, names[view.name][0], seed)) for view in found.views}
    design = _design(found, decoder, operator, epochs)
    with stages("train"):
        writers = _writers(found, own, vocabulary, design, seed)
        blind = fit_writer(found, BLIND, found.views[:1], own, vocabulary, design, seed=seed, blind=True)
        if tune:
            writers = {name: tuned(found, writer, design.training, seed) for name, writer in writers.items()}
        if self_critical:
            for writer in writers.values():
                criticise(found, writer, self_critical, seed)
    authors = _authors(writers)
    settings = Generation(beams=beams, longest=next(iter(writers.values())).longest)
    with stages("write"):
        rows = _rows(found, authors, blind, settings, metric, seed)
    result = _judge(found, rows, metric)
    result.views = [_described(view, names[view.name], found) for view in found.views]
    result.settings = _settings(design, settings, vocabulary, self_critical)
    result.problems = [*found.dataset.problems, *found.source.problems]
    result.notes, result.seed, result.command, result.versions = [*found.notes], seed, command, versions()
    chosen = authors[result.chosen]
    result.examples = examples(found, chosen, result, settings)
    result.model = model_of(found.dataset.columns, chosen, settings, _info(found, result))
    result.seconds = {**stages.seconds, "total": time.perf_counter() - start}
    return result


def _note_long(found: Material, vocabulary: Vocabulary) -> None:
    long = sum(len(vocabulary.encode(text, LONGEST)) == LONGEST + 1 for part in PARTS for text in found.pairs(part)[1])
    if long:
        found.notes.append(f"{long} texts longer than {LONGEST} tokens are cut there for learning")


def _design(found: Material, decoder: str, operator: str | None, epochs: int | None) -> Design:
    rows, _ = found.pairs("train")
    if not len(rows):
        raise DataError("training rows: expected one at least with a text and a readable input, found none")
    training = training_of(len(rows), len(np.unique(found.items[rows])))
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"epochs: expected 1 or more, got {epochs}")
        training = replace(training, epochs=epochs, patience=epochs)
    return Design(decoder=decoder, operator=operator, training=training)


def _writers(
    found: Material, own: Mapping[str, tuple[str, Encoder]], vocabulary: Vocabulary, design: Design, seed: int
) -> dict[str, Writer]:
    """A writer of all media views together where there are several, and one of each alone; prompts go with all."""
    prompts = [view for view in found.views if view.modality == "text"]
    media = [view for view in found.views if view.modality != "text"]
    wanted = {f"{SINGLE}:{view.name}": [view, *prompts] for view in media}
    if len(media) > 1:
        wanted = {f"{FUSED}:{design.operator or 'tokens'}": [*media, *prompts], **wanted}
    return {name: fit_writer(found, name, views, own, vocabulary, design, seed=seed) for name, views in wanted.items()}


def _authors(writers: Mapping[str, Writer]) -> dict[str, Author]:
    """All writers, and where there are several, what they write together."""
    together = f"{MODEL}:product"
    joined = {together: Writers(together, tuple(writers.values()))} if len(writers) > 1 else {}
    return {**writers, **joined}


def _rows(
    found: Material, authors: Mapping[str, Author], blind: Writer, settings: Generation, metric: str, seed: int
) -> list[WriterResult]:
    """Scores of all writers and baselines on test inputs; of writers, on validation inputs too."""
    rows = []
    for name, author in authors.items():
        one = score(found, name, name.partition(":")[0], author.write, settings, metric, seed)
        one.parameters, one.fit_seconds = author.parameters(), author.fit_seconds
        rows.append(one)
    test = found.rows_of("test")
    first = next(author for author in authors.values() if isinstance(author, Writer))
    nothing = found.source.hiding({view.name: np.ones(found.dataset.rows, bool) for view in blind.views})
    said = {
        BLIND: blind.write(nothing, test, settings).texts,
        NEAREST: nearest(found, first, test),
        FREQUENT: [frequent(found)] * len(test),
    }
    for name, texts in said.items():
        rows.append(score(found, name, "baseline", texts, settings, metric, seed))
    rows[-3].parameters, rows[-3].fit_seconds = blind.parameters(), blind.fit_seconds
    return rows


def _judge(found: Material, rows: list[WriterResult], metric: str) -> Captions:
    """The writer that validation inputs choose, against the best baseline; fusion against the best view alone."""
    by_name = {row.name: row for row in rows}
    own = {name: row for name, row in by_name.items() if row.kind != "baseline"}
    chosen = _best(own, metric, (FUSED, SINGLE, MODEL))
    baselines = {name: row for name, row in by_name.items() if row.kind == "baseline"}
    against = {
        name: paired(own[chosen].ratios[metric], row.ratios[metric], sign(metric)) for name, row in baselines.items()
    }
    rival = best_of(baselines, metric)
    fusion = None
    if len(own) > 1:
        single, fused = (_best(own, metric, kinds) for kinds in ((SINGLE,), (FUSED, MODEL)))
        difference = paired(own[fused].ratios[metric], own[single].ratios[metric], sign(metric))
        fusion = {
            "best_single": single, "best_fused": fused, "verdict": verdict(difference), "difference": difference,
        }  # fmt: skip
    items = {part: len(found.rows_of(part)) for part in ("train", "valid", "test")}
    return Captions(
        metric,
        chosen,
        rows,
        items,
        rival,
        verdict(against[rival]),
        against[rival],
        against,
        fusion,
        references=found.references("test"),
    )


def _best(rows: Mapping[str, WriterResult], metric: str, kinds: tuple[str, ...]) -> str:
    """The writer of some kinds that validation inputs choose."""
    fitting = [name for name, row in rows.items() if row.kind in kinds]
    return max(fitting, key=lambda name: sign(metric) * (rows[name].valid or 0.0))


def _described(view: Any, chosen: tuple[str, str], found: Material) -> dict[str, Any]:
    return {
        "name": view.name,
        "modality": str(view.modality),
        "columns": list(view.columns),
        "encoder": chosen[0],
        "why": chosen[1],
        "coverage": float(found.source.data(view).presence.mean()),
    }


def _settings(design: Design, settings: Generation, vocabulary: Vocabulary, critical: int) -> dict[str, Any]:
    return {
        "design": asdict(design),
        "generation": asdict(settings),
        "vocabulary": vocabulary.size,
        "self_critical": critical,
    }


def _info(found: Material, result: Captions) -> dict[str, Any]:
    known = set(chain.from_iterable(found.references("train")))
    row = result.row(result.chosen)
    return {
        "metric": result.metric,
        "score": row.scores[result.metric].score,
        "valid": row.valid,
        "texts": len(known),
        "seed": result.seed,
        "versions": result.versions,
        "data": found.dataset.fingerprint,
    }
