"""Learning to extract: a network is trained on texts and their triples, calibrated on validation, measured on test."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fusible.encoders.text_minilm import TextMinilm
from fusible.errors import ConfigError, DataError
from fusible.evaluation.extraction import Triple, counts, distinct, exactly, matched, summary
from fusible.evaluation.names import same_name
from fusible.evaluation.reliability import binned, calibration_error
from fusible.evaluation.study import Score, plain
from fusible.tasks.knowledge.extract._names import names_of, size
from fusible.tasks.knowledge.extract._network import ExtractNetwork
from fusible.tasks.knowledge.extract._pairs import PARTS, Material, Pair, labelled, read_pairs, split_pairs
from fusible.tasks.knowledge.extract._tokens import Tokens
from fusible.tasks.knowledge.extract._train import ExtractSettings, train
from fusible.tasks.knowledge.extract.extracted import Extractor, Said
from fusible.tasks.knowledge.extract.extractor import TrainedExtractor, logit
from fusible.tasks.source import Progress, stage
from fusible.training.loop import seeded
from fusible.types import Problem

__all__ = ["ExtractSettings", "Extraction", "fit_extractor", "measure"]

GRID = np.arange(0.05, 0.96, 0.025)
"""Thresholds that are tried on validation texts."""
FEW = 10
"""Right, and wrong, triples of validation texts with fewer than which probabilities stay as the network gives them."""


@dataclass(slots=True)
class Extraction:
    """What `fit_extractor` gives.

    `valid` and `test` {tolerant or exact: {precision, recall, f1}} with 95 % intervals over texts; `calibration_error`
    is that of the triples told on test texts. `aligned` is the share of training triples that were
    found in their texts.
    """

    valid: dict[str, dict[str, Score]]
    test: dict[str, dict[str, Score]]
    threshold: float
    calibration_error: float
    aligned: float
    sizes: dict[str, int]
    problems: list[Problem]
    model: TrainedExtractor
    seed: int = 0
    cpu_seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the model is left out."""
        names = [name for name in self.__dataclass_fields__ if name not in {"model", "problems"}]
        found: dict[str, Any] = {name: plain(getattr(self, name)) for name in names}
        return found | {"problems": [f"{one.column}: {one.message}" for one in self.problems]}


def fit_extractor(
    pairs: Any,
    *,
    tune: bool = True,
    settings: ExtractSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Learn to read triples out of texts, from texts and the triples that they say.

    Parameters
    ----------
    pairs : path, pandas.DataFrame or pyarrow.Table
        Rows with the columns `text` (or `texts`, a list of texts that say the same) and `triples`, a list of head,
        relation, tail. A column `split`, or a folder of train, valid and test, gives the split; otherwise a tenth
        of the rows each is held out. Where in the text a triple is said is found by alignment (see docs/graph.md).
    tune : bool
        Train the upper layers of the text encoder along, which takes longer and reads better.
    settings : ExtractSettings, optional
        How it is trained.
    cache : path, optional
        Feature cache of the frozen encoder, where `tune` is off.

    Raises
    ------
    FusibleError
        One line: no triples at all, none that could be found in the texts, a part without texts.
    """
    started, settings = time.process_time(), settings or ExtractSettings()
    parts = _parts(pairs, seed)
    relations = tuple(sorted({triple[1] for pair in parts["train"] for triple in pair.triples}))
    encoder = TextMinilm()
    with stage(progress, "align", None):
        material = labelled(parts["train"], {name: place for place, name in enumerate(relations)}, encoder.tokenizer)
    if not material.found:
        raise DataError(
            f"pairs: none of {material.triples} triples could be found in its text; expected names that the texts say"
        )
    if tune:
        _thaw(encoder, settings.layers)
    with seeded(seed):
        network = ExtractNetwork(encoder.output_width, len(relations), settings.hidden)
    model = TrainedExtractor(encoder, network, relations, names_of(material.called), device=device)
    reader = model.reader()
    if not tune:
        reader.encode = Tokens(encoder, [one.window for row in material.rows for one in row], device, cache, progress)
    steps = settings.epochs * -(-len(material.rows) // settings.batch)
    with stage(progress, "train", steps) as bar:
        train(reader, material.rows, settings, seed, lambda _: bar.advance())
    encoder.requires_grad_(False)
    valid = _calibrate(model, parts["valid"])
    test, error = measure(model, parts["test"], seed=seed)
    sizes = {"relations": len(relations), "names": size(model.names)}
    sizes |= {part: sum(len(pair.texts) for pair in parts[part]) for part in PARTS}
    share = material.found / material.triples
    model.info = {"f1": test["tolerant"]["f1"].score, "seed": seed, "tuned": tune, "settings": plain(settings)}
    return Extraction(
        valid,
        test,
        model.threshold,
        error,
        share,
        sizes,
        _problems(material, parts, relations),
        model,
        seed,
        round(time.process_time() - started, 1),
        {"tune": tune, **plain(settings)},
    )


def measure(extractor: Extractor, pairs: Sequence[Pair], *, seed: int = 0) -> tuple[dict[str, dict[str, Score]], float]:
    """Scores of an extractor on texts of pairs, alias-tolerant and exact, and the calibration error of what it told."""
    texts, wanted = texts_of(pairs)
    said = extractor.extract(texts)
    told = [[_triple(one) for one in found] for found in said]
    rules = {"tolerant": same_name, "exact": exactly}
    scores = {name: summary(counts(told, wanted, rule), seed=seed) for name, rule in rules.items()}
    confidence, right = judged(said, wanted)
    return scores, calibration_error(binned(confidence, right)) if len(right) else float("nan")


def texts_of(pairs: Sequence[Pair]) -> tuple[list[str], list[tuple[Triple, ...]]]:
    """All texts, and the triples of each."""
    held = [(text, pair.triples) for pair in pairs for text in pair.texts]
    return [text for text, _ in held], [triples for _, triples in held]


def judged(said: Sequence[Sequence[Said]], wanted: Sequence[Sequence[Triple]]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of every distinct triple of all texts, the surest first in each, and whether it is right (0 or 1)."""
    confidence, right = [], []
    for found, gold in zip(said, wanted, strict=True):
        order = sorted(found, key=lambda one: -one.confidence)
        order = [order[place] for place in distinct([_triple(one) for one in order])]
        confidence += [one.confidence for one in order]
        right += matched([_triple(one) for one in order], gold).tolist()
    return np.array(confidence, float), np.array(right, float)


def _calibrate(model: TrainedExtractor, pairs: Sequence[Pair]) -> dict[str, dict[str, Score]]:
    """Set scale, shift and threshold by validation texts; their scores at that threshold."""
    from sklearn.linear_model import LogisticRegression

    texts, wanted = texts_of(pairs)
    said = model.extract(texts, threshold=0.0)
    confidence, right = judged(said, wanted)
    if FEW <= right.sum() <= len(right) - FEW:
        odds = np.array([[logit(float(np.log(one)))] for one in confidence])
        fitted = LogisticRegression(C=100.0).fit(odds, right)
        model.scale, model.shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        said = [[replace(one, confidence=model.confidence(np.log(one.confidence))) for one in held] for held in said]
    told = [sorted(((one.confidence, _triple(one)) for one in found), reverse=True) for found in said]
    tables = [counts([[one for sure, one in found if sure >= least] for found in told], wanted) for least in GRID]
    best = int(np.argmax([summary(table, resamples=200)["f1"].score for table in tables]))
    model.threshold = float(GRID[best])
    exact = counts([[one for sure, one in found if sure >= model.threshold] for found in told], wanted, exactly)
    return {"tolerant": summary(tables[best]), "exact": summary(exact)}


def _triple(one: Said) -> Triple:
    return one.head, one.relation, one.tail


def _parts(pairs: Any, seed: int) -> dict[str, list[Pair]]:
    parts = read_pairs(pairs)
    if not any(pair.triples for pair in parts.get("train", ())):
        raise DataError("pairs: the training rows have no triples; expected at least one")
    if set(parts) == {"train"}:
        parts = split_pairs([pair for pair in parts["train"] if pair.texts], seed)
    for name in PARTS:
        if not any(pair.texts for pair in parts.get(name, ())):
            raise DataError(f"pairs: no {name} texts; expected train, valid and test, or no split at all")
    return parts


def _thaw(encoder: TextMinilm, layers: int) -> None:
    """Give the upper layers to training."""
    held = list(encoder.model.encoder.layer)
    if not 1 <= layers <= len(held):
        raise ConfigError(f"extractor: layers = {layers}, expected 1 to {len(held)} of the encoder's")
    encoder.thaw()
    for part in (encoder.model.embeddings, *held[: len(held) - layers]):
        part.requires_grad_(False)


def _problems(material: Material, parts: Mapping[str, Sequence[Pair]], relations: Sequence[str]) -> list[Problem]:
    found = []
    if lost := len(material.lost):
        head, relation, tail = material.lost[0]
        text = f"{lost} of {material.triples} training triples could not be found in their texts, such as "
        found.append(Problem("extraction", "triples", f"{text}({head}, {relation}, {tail}); they teach nothing"))
    uses = Counter(triple[1] for pair in parts["train"] for triple in pair.triples)
    if once := [name for name in relations if uses[name] == 1]:
        found.append(
            Problem(
                "extraction", "triples", f"{len(once)} relation(s) stand in one training row only, such as {once[0]!r}"
            )
        )
    later = {triple[1] for part in PARTS[1:] for pair in parts[part] for triple in pair.triples} - set(relations)
    if later:
        text = f"{len(later)} relation(s) of held-out rows are in no training row, such as {min(later)!r}"
        found.append(Problem("extraction", "triples", f"{text}; they are never found"))
    if empty := sum(not pair.texts for held in parts.values() for pair in held):
        found.append(Problem("extraction", "text", f"{empty} row(s) have no text; they are left out"))
    return found
