"""What a link model's folder holds, checked before anything is built of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fusible import registry
from fusible.errors import ModelFormatError
from fusible.tasks import pack
from fusible.tasks.knowledge.links._calibration import SIGNS
from fusible.tasks.knowledge.links._network import LinkNetwork
from fusible.tasks.knowledge.rules._pack import unpacked
from fusible.tasks.knowledge.rules.mined import Rules

KEY = "links"
MOST = 50_000_000
"""Entities, relations or triples beyond which a folder is refused."""


def network_of(parts: pack.Packed, number: int, spec: Mapping[str, Any], entities: int, relations: int) -> LinkNetwork:
    """One network by its description; names must be registered, shapes as its parts have them."""
    scoring, _, carrying = str(spec["scorer"]).partition(":")
    registry.get("scorers", scoring)
    if carrying:
        registry.get("propagation", carrying)
    edges = int(spec.get("triples", 0))
    if not 0 <= edges <= MOST:
        raise ModelFormatError(f"config.yaml: {KEY}: {edges} triples, expected 0 to {MOST:,}")
    registry.get("fusion", str(spec["operator"]))
    widths = {str(view): int(width) for view, width in spec["views"].items()}

    def build() -> LinkNetwork:
        features = {view: torch.zeros(entities, width) for view, width in widths.items()}
        return LinkNetwork(
            entities,
            relations,
            str(spec["scorer"]),
            int(spec["width"]),
            features,
            structure=bool(spec["structure"]),
            operator=str(spec["operator"]),
            triples=torch.zeros(edges, 3, dtype=torch.int64),
        )

    network = pack.unpack_module(parts, f"{KEY}{number}", build)
    assert isinstance(network, LinkNetwork)
    if carrying:
        check_triples(network.triples.numpy(), entities, relations)
    return network


def rules_of(parts: pack.Packed, entities: tuple[str, ...], relations: tuple[str, ...]) -> Rules | None:
    """Rules that are a member, where there are such."""
    key = f"{KEY}.rules."
    arrays = {name[len(key) :]: parts.arrays.pop(name).numpy() for name in list(parts.arrays) if name.startswith(key)}
    if not arrays:
        return None
    if "triples" in arrays:
        check_triples(arrays["triples"], len(entities), len(relations))
    return unpacked(arrays, entities, relations)


def calibration_of(parts: pack.Packed, triples: int, relations: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which triples were trained on, and the weights of what speaks for a triple; none in older folders."""
    trained, calibration = (parts.arrays.pop(f"{KEY}.{name}", None) for name in ("trained", "calibration"))
    if trained is not None and (trained.shape != (triples,) or trained.dtype != torch.bool):
        raise ModelFormatError(f"weights.safetensors: {KEY}.trained: expected {triples} times yes or no")
    if calibration is not None:
        check_numbers("calibration", calibration.numpy(), (relations, SIGNS + 1))
    return None if trained is None else trained.numpy(), None if calibration is None else calibration.numpy()


def check_numbers(name: str, values: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse numbers of another shape, and such as would make every answer none."""
    if values.shape != shape or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise ModelFormatError(f"weights.safetensors: {KEY}.{name}: expected finite numbers of shape {shape}")


def names_of(parts: pack.Packed, name: str) -> tuple[str, ...]:
    """Names of entities or relations; refused where they are no list of texts."""
    held = json.loads(parts.learned[name])
    if not isinstance(held, list) or not 0 < len(held) <= MOST or not all(isinstance(one, str) for one in held):
        raise ModelFormatError(f"preprocessing/{name}.json: expected a list of names")
    return tuple(held)


def check_triples(triples: np.ndarray, entities: int, relations: int) -> None:
    """Refuse triples of what is not there."""
    good = triples.ndim == 2 and triples.shape[1:] == (3,) and triples.dtype == np.int64 and len(triples) <= MOST
    if not good or (
        len(triples) and (triples.min() < 0 or (triples.max(axis=0) >= (entities, relations, entities)).any())
    ):
        raise ModelFormatError(
            "weights.safetensors: links.triples: expected places of entities and relations (rows, 3)"
        )
