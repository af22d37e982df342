"""The trained extractor: triples of texts, each with the probability that it is right; saved as plain files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fusible.encoders.text_minilm import TextMinilm
from fusible.errors import ConfigError, ModelFormatError
from fusible.evaluation.extraction import distinct
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.knowledge.extract._names import Names, surface
from fusible.tasks.knowledge.extract._network import ExtractNetwork
from fusible.tasks.knowledge.extract._text import Window, windows
from fusible.tasks.knowledge.extract._train import Found, Reader
from fusible.tasks.knowledge.extract.extracted import Said

KEY = "extractor"
MOST = 100_000
"""Relations, and columns of a layer, beyond which a folder is refused."""


@dataclass
class TrainedExtractor:
    """Reads triples of the relations that it was trained on; by `fit_extractor`, or from a folder by `load_extractor`.

    `threshold` is the least confidence of a triple that `extract` tells. `scale` and `shift` make probabilities true
    (Platt, "Probabilistic Outputs for Support Vector Machines", 1999). `names` are what training triples call that
    which texts call otherwise ("English" of the relation language: "English language").
    """

    encoder: TextMinilm
    network: ExtractNetwork
    relations: tuple[str, ...]
    names: Names
    threshold: float = 0.5
    scale: float = 1.0
    shift: float = 0.0
    device: str = "cpu"
    info: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Kind and fingerprint, as it stands in a graph's provenance."""
        digest = blake2b(digest_size=6)
        for part, tensor in sorted({**self.network.state_dict(), **self.encoder.state_dict()}.items()):
            digest.update(f"{part} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        digest.update(json.dumps([self.relations, self.threshold, self.scale, self.shift, self.names]).encode())
        return f"trained {digest.hexdigest()}"

    def extract(self, texts: Sequence[str], *, threshold: float | None = None) -> list[list[Said]]:
        """The triples of each text, in the order of their places, told once per stretch of text that is read at once.

        A text is read in stretches of whole sentences (up to 126 word pieces); triples may lead from one sentence to
        another within it. `threshold` (0 to 1) overrides the model's. Raises `ConfigError` for one that is none.
        """
        least = self.threshold if threshold is None else threshold
        if not 0 <= least <= 1:
            raise ConfigError(f"extractor: threshold = {least}, expected a probability from 0 to 1")
        held = windows(self.encoder.tokenizer, texts)
        found: list[list[Said]] = [[] for _ in texts]
        for window, triples in zip(held, self.reader().read(held), strict=True):
            found[window.text] += self._told(texts[window.text], window, triples, least)
        return [sorted(said, key=lambda one: (one.sentence, one.head_at, one.tail_at)) for said in found]

    def reader(self) -> Reader:
        """Encoder and network, as training and reading use them."""
        device = torch.device(self.device)
        encoder, network = self.encoder.to(device), self.network.to(device)
        trained = [one for one in encoder.parameters() if one.requires_grad]
        return Reader(lambda ids, lengths: encoder({"ids": ids, "lengths": lengths}).tokens, network, trained, device)

    def confidence(self, score: float) -> float:
        """Probability that a triple is right, of the logarithm of its product of probabilities."""
        return 1 / (1 + math.exp(-(self.scale * logit(score) + self.shift)))

    def _told(self, text: str, window: Window, triples: Sequence[Found], least: float) -> list[Said]:
        said = [self._said(text, window, one) for one in sorted(triples, key=lambda one: -one[3])]
        said = apart([one for one in said if one.confidence >= least])
        return [said[place] for place in distinct([(one.head, one.relation, one.tail) for one in said])]

    def _said(self, text: str, window: Window, found: Found) -> Said:
        relation = self.relations[found[1]]
        heads, tails = ((int(window.words[span[0], 0]), int(window.words[span[1], 1])) for span in (found[0], found[2]))
        first, last = min(heads[0], tails[0]), max(heads[1], tails[1])
        over = [place for place in window.sentences if place[1] > first and place[0] < last]
        called = [
            self.names.get(relation, {}).get(role, {}).get(surface(text[slice(*at)]), text[slice(*at)])
            for role, at in (("head", heads), ("tail", tails))
        ]
        where = (over[0][0], over[-1][1])
        return Said(called[0], relation, called[1], where, heads, tails, self.confidence(found[3]))

    def save(self, folder: str | Path) -> Path:
        """Write the model's folder of plain files, whole or not at all."""
        place, packer = check_model(Path(folder)), pack.Packer()
        packer.arrays(KEY, self.network)
        packer.packed.learned |= {
            name: json.dumps(held, ensure_ascii=False)
            for name, held in (("relations", list(self.relations)), ("names", self.names))
        }
        numbers = {"threshold": self.threshold, "scale": self.scale, "shift": self.shift}
        plain = {"network": self.network.spec, "encoder": packer.encoder(self.encoder), **numbers}
        config = {"format": FORMAT, KEY: plain, "encoders": packer.packed.encoders, "info": self.info}
        return store(place, config, packer.packed, _card(self))


def load_extractor(folder: str | Path, *, device: str = "cpu") -> TrainedExtractor:
    """Load a trained extractor's folder; safe as loading a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    place = Path(folder)
    with opened(place) as (config, parts):
        plain = config.get(KEY)
        if not isinstance(plain, Mapping):
            raise ModelFormatError(f"{place}: holds no extractor; make one with `fusible graph fit-extractor`")
        relations, names = json.loads(parts.learned["relations"]), json.loads(parts.learned["names"])
        if not _are_names(relations) or not _are_named(names):
            raise ModelFormatError(
                f"{place}/preprocessing: expected names of relations, and names of {{surface: name}}"
            )
        encoder = pack.unpack_encoders(parts)[plain["encoder"]]
        spec = dict(plain["network"])
        threshold, scale, shift = (float(plain[name]) for name in ("threshold", "scale", "shift"))
        width, count, hidden = sizes = [spec[name] for name in ("width", "relations", "hidden")]
        if (
            not isinstance(encoder, TextMinilm)
            or not all(isinstance(size, int) and 0 < size <= MOST for size in sizes)
            or sizes[:2] != [encoder.output_width, len(relations)]
            or not np.isfinite([threshold, scale, shift]).all()
        ):
            raise ModelFormatError(f"{place}/config.yaml: {KEY}: sizes or numbers do not go with the rest of the model")
        network = pack.unpack_module(parts, KEY, lambda: ExtractNetwork(width, count, hidden, float(spec["dropout"])))
        assert isinstance(network, ExtractNetwork)
        return TrainedExtractor(
            encoder, network, tuple(relations), names, threshold, scale, shift, device, dict(config["info"])
        )


def apart(said: Sequence[Said]) -> list[Said]:
    """Of triples of one relation that overlap at both ends, the first: a mention is no longer stretch of words as well.

    >>> one = Said("Ulm", "country", "Germany", (0, 30), (0, 3), (12, 19), 0.9)
    >>> longer = Said("Ulm", "country", "Germany and Graz", (0, 30), (0, 3), (12, 28), 0.6)
    >>> apart([one, longer]) == [one]
    True
    """
    kept: list[Said] = []
    for one in said:
        rivals = [other for other in kept if other.relation == one.relation]
        if not any(_meet(one.head_at, other.head_at) and _meet(one.tail_at, other.tail_at) for other in rivals):
            kept.append(one)
    return kept


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def logit(score: float) -> float:
    """Log-odds of a probability that is given by its logarithm, kept finite."""
    return score - math.log(max(-math.expm1(score), 1e-6))


def _are_names(held: Any) -> bool:
    return isinstance(held, list) and 0 < len(held) <= MOST and all(isinstance(one, str) for one in held)


def _are_named(held: Any) -> bool:
    roles = [role for one in held.values() for role in one.values()]
    return all(isinstance(text, str) for role in roles for pair in role.items() for text in pair)


def _card(model: TrainedExtractor) -> str:
    score = model.info.get("f1")
    said = f"\nF1 of triples on test texts, alias-tolerant: {score:.4g}\n" if isinstance(score, float) else ""
    return f"# Fusible extractor of triples\n\n{len(model.relations)} relations\n{said}"
