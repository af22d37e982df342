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
from fusible.errors import ConfigError
from fusible.evaluation.cost import Stages
from fusible.evaluation.written import Captions, WriterResult
from fusible.tasks._caption_baselines import frequent, nearest
from fusible.tasks._caption_critic import criticise
from fusible.tasks._caption_data import Material, check_parts, columns_of, material, note_rows
from fusible.tasks._caption_examples import examples
from fusible.tasks._caption_fit import Design, encoder_names, fit_writer, ready, training_of
from fusible.tasks._caption_score import check_metric, score
from fusible.tasks._caption_tune import check_tunable
from fusible.tasks._caption_tune import tune as tuned
from fusible.tasks._caption_verdict import BASELINE, FUSED, MODEL, SINGLE, chosen_of, judged
from fusible.tasks.captioner import model_of
from fusible.tasks.results import versions
from fusible.tasks.source import Progress
from fusible.tasks.writer import Author, Writer, Writers
from fusible.types import Modality

METRIC = "cider_d"
BLIND, NEAREST, FREQUENT = "blind decoder", "nearest neighbour", "most frequent"
BEAMS = 3


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
        The table; see `fusible.read`. Its `split` column decides, or rows are drawn, items kept whole. Test inputs that
        also stand in training are counted in a note.
    text : str or sequence of str
        Columns of texts: several give several references per row, as do cells that hold lists.
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
        Then train pretrained encoders along, slowly; kept where validation loss falls. Others stay as they are.
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
    generation = _checked(decoder, operator, metric, beams)
    inputs = columns_of({"image": image, "audio": audio, "video": video, "prompt": prompt})
    texts = [text] if isinstance(text, str) else list(text)
    with stages("read"):
        found = material(
            data, texts, inputs, views, seed=seed, device=device, workers=workers, cache=cache, progress=progress
        )
        vocabulary = Vocabulary.read(tokenizer) if tokenizer is not None else Vocabulary.learn(found.pairs("train")[1])
    with stages("encode"):
        names = encoder_names(found, encoders or {})
        own = {view.name: (names[view.name][0], ready(found, view, names[view.name][0], seed)) for view in found.views}
    check_parts(found)
    if tune:
        check_tunable([encoder for _, encoder in own.values()])
    note_rows(found, vocabulary)
    design = _design(found, decoder, operator, epochs)
    with stages("train"):
        writers = _trained(found, own, vocabulary, design, seed, tune=tune, critical=self_critical)
    authors, blind = _authors(writers), writers[BLIND]
    with stages("write"):
        rows = _rows(found, authors, blind, generation, metric, seed)
    chosen = chosen_of(rows, metric)
    judgement, by_name = judged(rows, metric, chosen), {row.name: row for row in rows}
    author, row, rival = authors[chosen], by_name[chosen], by_name[judgement["rival"]]
    generation = replace(generation, longest=author.longest)
    shown = examples(found, author, row, rival, metric, generation, seed)
    return Captions(
        metric,
        chosen,
        rows,
        {part: len(found.rows_of(part)) for part in found.split.parts},
        **judgement,
        views=[_described(view, names[view.name], found) for view in found.views],
        settings=_settings(design, generation, vocabulary, self_critical),
        notes=[*found.notes],
        problems=[*found.dataset.problems, *found.source.problems],
        references=found.references("test"),
        examples=shown,
        seed=seed,
        command=command,
        seconds={**stages.seconds, "total": time.perf_counter() - start},
        versions=versions(),
        model=model_of(found.dataset.columns, author, generation, _info(found, row, metric, seed)),
    )


def _checked(decoder: str, operator: str | None, metric: str, beams: int) -> Generation:
    """Refuse, before any work, what cannot be used; how texts are written when they are scored."""
    registry.get("decoders", decoder)
    check_metric(metric)
    if operator is not None:
        registry.get("fusion", operator)
    return Generation(beams=beams)


def _design(found: Material, decoder: str, operator: str | None, epochs: int | None) -> Design:
    rows, _ = found.pairs("train")
    training = training_of(len(rows), len(np.unique(found.items[rows])))
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"epochs: expected 1 or more, got {epochs}")
        training = replace(training, epochs=epochs, patience=epochs)
    return Design(decoder=decoder, operator=operator, training=training)


def _trained(
    found: Material,
    own: Mapping[str, tuple[str, Encoder]],
    vocabulary: Vocabulary,
    design: Design,
    seed: int,
    *,
    tune: bool,
    critical: int,
) -> dict[str, Writer]:
    """A writer of all media views together where there are several, one of each alone, and one that sees none.

    Prompts go with all. Whatever is done to one is done to all, so that the verdict compares like with like.
    """
    prompts = [view for view in found.views if view.modality is Modality.TEXT]
    media = [view for view in found.views if view.modality is not Modality.TEXT]
    wanted = {f"{SINGLE}:{view.name}": [view, *prompts] for view in media}
    if len(media) > 1:
        wanted = {f"{FUSED}:{design.operator or 'tokens'}": [*media, *prompts], **wanted}
    wanted[BLIND] = [*media, *prompts]
    hidden = {BLIND: [view.name for view in media]}
    writers = {
        name: fit_writer(found, name, views, own, vocabulary, design, seed=seed, hidden=hidden.get(name, ()))
        for name, views in wanted.items()
    }
    if tune:
        writers = {name: tuned(found, writer, design.training, seed) for name, writer in writers.items()}
    for writer in writers.values() if critical else ():
        criticise(found, writer, critical, seed)
    return writers


def _authors(writers: Mapping[str, Writer]) -> dict[str, Author]:
    """All writers that see, and where there are several, what they write together."""
    seeing = {name: writer for name, writer in writers.items() if name != BLIND}
    together = f"{MODEL}:product"
    joined = {together: Writers(together, tuple(seeing.values()))} if len(seeing) > 1 else {}
    return {**seeing, **joined}


def _rows(
    found: Material, authors: Mapping[str, Author], blind: Writer, generation: Generation, metric: str, seed: int
) -> list[WriterResult]:
    """Scores of all writers and baselines on test inputs; of what writes, on validation inputs too."""
    test = found.rows_of("test")
    first = next(author for author in authors.values() if isinstance(author, Writer))
    baselines: dict[str, Author | list[str]] = {
        BLIND: blind,
        NEAREST: nearest(found, first, test),
        FREQUENT: [frequent(found)] * len(test),
    }
    kinds = {name: name.partition(":")[0] for name in authors} | dict.fromkeys(baselines, BASELINE)
    return [
        score(found, name, kinds[name], author, generation, metric, seed)
        for name, author in {**authors, **baselines}.items()
    ]


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


def _info(found: Material, row: WriterResult, metric: str, seed: int) -> dict[str, Any]:
    known = set(chain.from_iterable(found.references("train")))
    return {
        "metric": metric,
        "score": row.scores[metric].score,
        "valid": row.valid,
        "texts": len(known),
        "seed": seed,
        "versions": versions(),
        "data": found.dataset.fingerprint,
    }
