"""Link models: what a relation leads to, from either end; saved and loaded as plain files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from fusible.data.graph import Graph
from fusible.errors import ConfigError, ModelFormatError
from fusible.evaluation.links import Known
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, schema_config, schema_of, store
from fusible.tasks.knowledge.links._calibration import evidence, probabilities
from fusible.tasks.knowledge.links._folder import (
    KEY,
    calibration_of,
    check_numbers,
    check_triples,
    names_of,
    network_of,
    rules_of,
)
from fusible.tasks.knowledge.links._negatives import places_of
from fusible.tasks.knowledge.links._network import LinkNetwork
from fusible.tasks.knowledge.links._views import Told
from fusible.tasks.knowledge.links._weights import pooled
from fusible.tasks.knowledge.rules._pack import packed
from fusible.tasks.knowledge.rules.mined import Rules, mine_rules

CELLS = 20_000_000
"""Scores of queries by entities that are made at a time, at most."""


@dataclass(slots=True)
class LinkModel:
    """Answers what an entity is linked to; by `fit_links`, or from a folder by `load_links`.

    `triples` int64 (rows, 3) are what is known: places in `entities` and `relations`. `networks` are one, or several
    whose mean counts, or those that are put together with a weight per relation of all but the first member
    (`weights`), of which `rules`, where there are such, are the last. Where rules alone have a weight, the first member
    is the mean of the networks. `stranger` answers for entities that no training
    triple has, by their views; `told` is how these are encoded. Both are there where a table told of entities.
    `calibration` (relations, 10) makes probabilities, see `classify`, of scores and of those triples that are marked as
    `trained` on (rows,), or all.
    """

    networks: tuple[LinkNetwork, ...]
    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: np.ndarray
    weights: np.ndarray | None = None
    stranger: LinkNetwork | None = None
    told: Told | None = None
    rules: Rules | None = None
    info: dict[str, Any] = field(default_factory=dict)
    trained: np.ndarray | None = None
    calibration: np.ndarray | None = None
    _reasons: Rules | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def views(self) -> tuple[str, ...]:
        """Names of what entities are known by beside their links."""
        return () if self.told is None else tuple(view.name for view in self.told.views)

    def predict(
        self,
        relation: str,
        *,
        head: str | Mapping[str, Any] | None = None,
        tail: str | Mapping[str, Any] | None = None,
        k: int = 10,
        known: bool = False,
    ) -> pd.DataFrame:
        """The likeliest tails of a head, or heads of a tail: `entity`, `score` and whether the graph says so (`known`).

        Head or tail is the name of an entity, or cells {column: value} that tell of one outside of the graph, as the
        table of entities did. Scores are log-probabilities among all entities. What the graph says already is left out
        unless `known` asks for it. Raises `ConfigError` for names that the graph lacks, with near ones.
        """
        if (head is None) == (tail is None):
            raise ConfigError("links: give the head or the tail, not both; the other one is what is looked for")
        if k < 1:
            raise ConfigError(f"links: k = {k}, expected a whole number of at least 1")
        kind = self._place("relation", self.relations, relation) + (len(self.relations) if head is None else 0)
        asked = tail if head is None else head
        said = np.zeros(len(self.entities), bool)
        if isinstance(asked, str):
            query = np.array([[self._place("entity", self.entities, asked), kind]])
            scores = self.scores(query)[0]
            said[Known(self.triples, len(self.relations)).answers(query)[1]] = True
        else:
            scores = self._scores_of(dict(asked or {}), kind)
        order = np.argsort(-scores, kind="stable")
        order = order[known | ~said[order]][:k]
        names = [self.entities[place] for place in order]
        return pd.DataFrame({"entity": names, "score": scores[order], "known": said[order]})

    def scores(self, queries: np.ndarray) -> np.ndarray:
        """Log-probabilities (rows, entities) of queries (rows, 2): entity, and relation, or relation + relations."""
        rows = max(1, CELLS // len(self.entities))
        if len(queries) <= rows:
            return self._scores(queries)
        found: np.ndarray | None = None
        for start in range(0, len(queries), rows):
            part = self._scores(queries[start : start + rows])
            found = np.empty((len(queries), len(self.entities)), part.dtype) if found is None else found
            found[start : start + rows] = part
        assert found is not None
        return found

    def _scores(self, queries: np.ndarray) -> np.ndarray:
        """`scores` at once: each member takes several times the memory of the result."""
        said = [] if self.rules is None else [self.rules.log_chances(queries)]
        if self.weights is None or self.weights.shape[1] == len(said):  # the mean of networks counts as one member
            members = [mean_chances(self.networks, queries), *said]
        else:
            members = [*(log_chances(network.scores(queries)) for network in self.networks), *said]
        found = members[0]
        if self.weights is not None:
            found = log_chances(pooled(members, self.weights[queries[:, 1]]))
        strange = ~self.networks[0].entities.seen.numpy()
        if self.stranger is not None and strange.any():
            told, asked = log_chances(self.stranger.scores(queries)), strange[queries[:, 0]]
            found[:, strange], found[asked] = told[:, strange], told[asked]
            found = log_chances(found)
        return found

    def reasoning(self) -> Rules:
        """Rules that explain answers: those that are a member, or else such as are mined, once, from known triples."""
        if self.rules is not None:
            return self.rules
        if self._reasons is None:
            every = {"train": np.arange(len(self.triples))}
            self._reasons = mine_rules(Graph(self.entities, self.relations, self.triples, every))
        return self._reasons

    def classify(self, triples: Any) -> pd.DataFrame:
        """How likely triples are true: `head`, `relation`, `tail`, `probability`, `known` where the graph says so.

        `triples` is a file or a table as `fusible.read_graph` takes them; rows keep their order. Probabilities are
        calibrated on validation triples and on ones that are not true, and hold where true and false ones are as many
        as there: half and half, unless `fit_links` was given other `negatives`. Raises `DataError` for names that the
        graph lacks.
        """
        places = places_of(triples, self.entities, self.relations, "classify")
        names = {"head": self.entities, "relation": self.relations, "tail": self.entities}
        found = {name: [held[at] for at in places[:, i]] for i, (name, held) in enumerate(names.items())}
        said = set(map(tuple, self.triples.tolist()))
        known = [tuple(triple) in said for triple in places.tolist()]
        return pd.DataFrame({**found, "probability": self.probabilities(places), "known": known})

    def probabilities(self, triples: np.ndarray) -> np.ndarray:
        """Probability (rows,) that triples (rows, 3), places of entities and relations, are true."""
        if self.calibration is None:
            raise ConfigError("links: this model was written before probabilities were calibrated; fit it again")
        return probabilities(self.calibration, self.evidence(triples), triples[:, 1])

    def evidence(self, triples: np.ndarray) -> np.ndarray:
        """What speaks for triples (rows, 3), as `calibration` weighs it: (rows, 9)."""
        told = np.mean([network.told(triples) for network in self.networks], axis=0)
        train = self.triples if self.trained is None else self.triples[self.trained]
        return evidence(self.scores, told, triples, train, len(self.relations))

    def _scores_of(self, cells: dict[str, Any], kind: int) -> np.ndarray:
        """Log-probabilities (entities,) of what an entity that only its cells tell of is linked to."""
        if self.told is None or self.stranger is None:
            raise ConfigError("links: this model knows entities by their links alone; name one, or fit with a table")
        names = [column.name for column in self.told.columns]
        if unknown := sorted(set(cells) - set(names)):
            raise ConfigError(f"links: no column {unknown[0]!r}; entities are told by {', '.join(names)}")
        row = pd.DataFrame([{**dict.fromkeys(names), **cells}])
        return np.asarray(log_chances(self.stranger.scores_of(self.told.encode(row), np.array([kind])))[0])

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place, packer = check_model(Path(folder)), pack.Packer()
        networks = (*self.networks, *(() if self.stranger is None else (self.stranger,)))
        for number, network in enumerate(networks):
            packer.arrays(f"{KEY}{number}", network)
        packer.packed.arrays[f"{KEY}.triples"] = torch.from_numpy(self.triples.astype(np.int64))
        if self.weights is not None:
            packer.packed.arrays[f"{KEY}.weights"] = torch.from_numpy(self.weights)
        if self.rules is not None:
            arrays = {f"{KEY}.rules.{name}": torch.from_numpy(array) for name, array in packed(self.rules).items()}
            packer.packed.arrays |= arrays
        for name, values in (("calibration", self.calibration), ("trained", self.trained)):
            if values is not None:
                packer.packed.arrays[f"{KEY}.{name}"] = torch.from_numpy(values)
        names = {"entities": self.entities, "relations": self.relations}
        packer.packed.learned |= {name: json.dumps(list(held), ensure_ascii=False) for name, held in names.items()}
        plain: dict[str, Any] = {"networks": [network.spec() for network in networks], "told": None}
        if self.told is not None:
            keys = {view: packer.encoder(encoder) for view, encoder in self.told.encoders.items()}
            plain["told"] = {**schema_config(self.told.columns, self.told.views), "encoders": keys}
        config = {"format": FORMAT, KEY: plain, "encoders": packer.packed.encoders, "info": self.info}
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
        entities, relations = (names_of(parts, name) for name in ("entities", "relations"))
        triples = parts.arrays.pop(f"{KEY}.triples").numpy()
        check_triples(triples, len(entities), len(relations))
        sizes = len(entities), len(relations)
        networks = tuple(network_of(parts, number, spec, *sizes) for number, spec in enumerate(plain["networks"]))
        weights = parts.arrays.pop(f"{KEY}.weights", None)
        rules = rules_of(parts, entities, relations)
        own = len(networks) - (plain["told"] is not None)
        members = own + (rules is not None)
        if own < 1 or (weights is None and rules is not None):
            raise ModelFormatError(f"{place}: {len(networks)} networks do not go with the rest of the model")
        if weights is not None:
            widths = {members - 1, int(rules is not None)} - {0}
            width = weights.shape[-1] if weights.shape[-1:] and weights.shape[-1] in widths else members - 1
            check_numbers("weights", weights.numpy(), (2 * sizes[1], width))
        found = LinkModel(networks[:own], entities, relations, triples, None if weights is None else weights.numpy())
        found.rules = rules
        found.info = dict(config["info"])
        found.trained, found.calibration = calibration_of(parts, len(triples), sizes[1])
        if plain["told"] is not None:
            built = pack.unpack_encoders(parts)
            columns, views = schema_of(plain["told"])
            encoders = {view: built[key] for view, key in plain["told"]["encoders"].items()}
            found.stranger, found.told = networks[own], Told({}, views, columns, encoders)
        return found


def mean_chances(networks: Sequence[LinkNetwork], queries: np.ndarray) -> np.ndarray:
    """Log-probabilities (rows, entities): those of the only network, or the geometric mean of several ones'."""
    found = [log_chances(network.scores(queries)) for network in networks]
    return found[0] if len(found) == 1 else log_chances(np.asarray(np.mean(found, axis=0, dtype=np.float32)))


def log_chances(scores: np.ndarray) -> np.ndarray:
    """Log-probabilities (rows, entities) of scores."""
    return np.asarray(torch.from_numpy(scores).log_softmax(dim=1).numpy())


def _card(model: LinkModel) -> str:
    score = model.info.get("mrr")
    said = f"\nMean reciprocal rank on test triples: {score:.4g}\n" if isinstance(score, float) else ""
    sizes = f"{len(model.entities)} entities, {len(model.relations)} relations, {len(model.triples)} triples"
    return f"# Fusible link model: {model.networks[0].name}\n\n{sizes}\n{said}"
