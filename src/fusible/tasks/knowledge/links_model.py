"""Link models: what a relation leads to, from either end; saved and loaded as plain files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fusible import registry
from fusible.errors import ConfigError, ModelFormatError
from fusible.evaluation.links import Known
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.knowledge._links_network import LinkNetwork

KEY = "links"
MOST = 50_000_000
"""Entities, relations or triples beyond which a folder is refused."""


@dataclass(slots=True)
class LinkModel:
    """Answers what an entity is linked to; by `fit_links`, or from a folder by `load_links`.

    `triples` int64 (rows, 3) are what is known: places in `entities` and `relations`.
    """

    network: LinkNetwork
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def predict(
        self, relation: str, *, head: str | None = None, tail: str | None = None, k: int = 10, known: bool = False
    ) -> pd.DataFrame:
        """The likeliest tails of a head, or heads of a tail: `entity`, `score` and whether the graph says so (`known`).

        Scores are the network's log-odds against all entities. What the graph says already is left out unless `known`
        asks for it. Raises `ConfigError` for names that the graph lacks, with near ones.
        """
        if (head is None) == (tail is None):
            raise ConfigError("links: give the head or the tail, not both; the other one is what is looked for")
        if k < 1:
            raise ConfigError(f"links: k = {k}, expected a whole number of at least 1")
        entity = self._place("entity", self.entities, head if head is not None else str(tail))
        kind = self._place("relation", self.relations, relation)
        query = np.array([[entity, kind if tail is None else kind + len(self.relations)]])
        scores = self.scores(query)[0]
        said = np.zeros(len(scores), bool)
        said[Known(self.triples, len(self.relations)).answers(query)[1]] = True
        order = np.argsort(-scores, kind="stable")
        order = order[known | ~said[order]][:k]
        names = [self.entities[place] for place in order]
        return pd.DataFrame({"entity": names, "score": scores[order], "known": said[order]})

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Log-probabilities (rows, entities) of queries (rows, 2): entity, and relation, or relation + relations."""
        raw = torch.from_numpy(self.network.scores(queries))
        return np.asarray(raw.log_softmax(dim=1).numpy())

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place, packer = check_model(Path(folder)), pack.Packer()
        packer.arrays(KEY, self.network)
        packer.packed.arrays[f"{KEY}.triples"] = torch.from_numpy(self.triples.astype(np.int64))
        names = {"entities": self.entities, "relations": self.relations}
        packer.packed.learned |= {name: json.dumps(list(held), ensure_ascii=False) for name, held in names.items()}
        plain = {"scorer": self.network.name, "width": self.network.scorer.width}
        config = {"format": FORMAT, KEY: plain, "encoders": {}, "info": self.info}
        return store(place, config, packer.packed, _card(self))

    def _place(self, what: str, names: tuple[str, ...], name: str) -> int:
        if name in names:
            return names.index(name)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see `entities` and `relations`"
        raise ConfigError(f"links: no {what} {name!r} in this graph: {hint}")


def load_links(folder: str | Path) -> LinkModel:
    """Load a link model's folder; safe as loading a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    place = Path(folder)
    with opened(place) as (config, parts):
        plain = config.get(KEY)
        if not isinstance(plain, Mapping):
            raise ModelFormatError(f"{place}: holds no link model; make one with `fusible graph fit`")
        entities, relations = (_names(parts, name) for name in ("entities", "relations"))
        scorer, width = str(plain["scorer"]), plain["width"]
        registry.get("scorers", scorer)
        triples = parts.arrays.pop(f"{KEY}.triples").numpy()
        _check(triples, len(entities), len(relations))
        network = pack.unpack_module(parts, KEY, lambda: LinkNetwork(len(entities), len(relations), scorer, int(width)))
        assert isinstance(network, LinkNetwork)
        return LinkModel(network.eval(), entities, relations, triples, dict(config["info"]))


def _names(parts: pack.Packed, name: str) -> tuple[str, ...]:
    held = json.loads(parts.learned[name])
    if not isinstance(held, list) or not 0 < len(held) <= MOST or not all(isinstance(one, str) for one in held):
        raise ModelFormatError(f"preprocessing/{name}.json: expected a list of names")
    return tuple(held)


def _check(triples: np.ndarray, entities: int, relations: int) -> None:
    """Refuse triples of what is not there."""
    good = triples.ndim == 2 and triples.shape[1:] == (3,) and triples.dtype == np.int64 and len(triples) <= MOST
    if not good or (
        len(triples) and (triples.min() < 0 or (triples.max(axis=0) >= (entities, relations, entities)).any())
    ):
        raise ModelFormatError(
            "weights.safetensors: links.triples: expected places of entities and relations (rows, 3)"
        )


def _card(model: LinkModel) -> str:
    score = model.info.get("mrr")
    said = f"\nMean reciprocal rank on test triples: {score:.4g}\n" if isinstance(score, float) else ""
    sizes = f"{len(model.entities)} entities, {len(model.relations)} relations, {len(model.triples)} triples"
    return f"# Fusible link model: {model.network.name}\n\n{sizes}\n{said}"
