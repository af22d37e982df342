"""Packing: encoders, modules and trees of fitted nodes as plain values and arrays; the first two also back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from fusible import registry
from fusible.alignment._projections import build_projection
from fusible.encoders._base import Encoder
from fusible.errors import ModelFormatError, RegistryError
from fusible.tasks.nodes import EnsembleNode, NetworkNode, Node, PredictorNode
from fusible.types import View

PLAIN = (str, int, float, bool, type(None))
UNSAVED = frozenset({"self", "path"})
"""Parameters that a folder may not set: a path would lead out of it."""


@dataclass(slots=True)
class Packed:
    """What a model folder holds of a node: encoders' settings, the tree, arrays, learned values, further texts."""

    encoders: dict[str, Any] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, torch.Tensor] = field(default_factory=dict)
    learned: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


class Packer:
    """Collects what a folder holds; each encoder once."""

    def __init__(self) -> None:
        self.packed = Packed()
        self._ids: dict[int, str] = {}
        self._count = 0

    def encoder(self, encoder: Encoder) -> str:
        """Add an encoder once; its id in the folder."""
        if id(encoder) in self._ids:
            return self._ids[id(encoder)]
        name = type(encoder).__module__.rpartition(".")[2]
        key = f"encoder{len(self._ids)}_{name}"
        self._ids[id(encoder)] = key
        self.packed.encoders[key] = {"name": name, "settings": dict(encoder.settings)}
        self.arrays(key, encoder)
        self.packed.learned[key] = json.dumps(dict(encoder.learned()), ensure_ascii=False)
        self.packed.texts.update({f"{key}.{part}": text for part, text in encoder.texts().items()})
        return key

    def node(self, node: Node) -> dict[str, Any]:
        """Add a node and all below it; its plain description."""
        self._count += 1
        key = f"node{self._count}"
        self.packed.arrays[f"{key}.prior"] = torch.from_numpy(np.asarray(node.prior, np.float64).copy())
        plain: dict[str, Any] = {"key": key, "name": node.name}
        if isinstance(node, PredictorNode):
            return {**plain, "kind": "predictor", "view": node.view.name, "encoder": self.encoder(node.encoder)}
        if isinstance(node, NetworkNode):
            views = {view.name: self.encoder(node.encoders[view.name]) for view in node.views}
            own = node.network.own_state()
            self.packed.arrays.update({f"{key}.{n}": t.detach().clone() for n, t in own.items()})
            bases = {"bases": {v: self.node(base) for v, base in node.bases.items()}} if node.bases else {}
            return {**plain, "kind": "network", "views": views, "live": list(node.live), **bases, **node.recipe}
        if not isinstance(node, EnsembleNode):
            raise TypeError(f"{type(node).__name__} has no place in a model folder")
        for name, array in node.rule.state().items():
            self.packed.arrays[f"{key}.rule.{name}"] = torch.from_numpy(np.asarray(array).copy())
        members = [self.node(member) for member in node.members]
        return {
            **plain,
            "kind": "ensemble",
            "rule": node.rule_name,
            "temperatures": list(node.temperatures),
            "members": members,
        }

    def arrays(self, key: str, module: nn.Module) -> None:
        """Add a module's arrays under a key."""
        self.packed.arrays.update({f"{key}.{n}": t.detach().clone() for n, t in module.state_dict().items()})


def pack(node: Node) -> Packed:
    """Describe a node by plain values and arrays."""
    packer = Packer()
    packer.packed.tree = packer.node(node)
    return packer.packed


def unpack_encoders(packed: Packed) -> dict[str, Encoder]:
    """Rebuild all encoders of a folder, by their ids."""
    return {key: _encoder(packed, key, entry) for key, entry in packed.encoders.items()}


def unpack_projection(packed: Packed, key: str, spec: Mapping[str, Any], inputs: int) -> nn.Module:
    """Rebuild an aligner's projection of vectors of `inputs` columns; shapes are checked before memory is taken."""
    if spec.get("inputs") != inputs:
        raise ModelFormatError(
            f"config.yaml: {key}: expected {inputs} inputs as its encoder gives, got {spec.get('inputs')}"
        )
    return unpack_module(packed, key, lambda: build_projection(spec))


def unpack_module(packed: Packed, key: str, build: Callable[[], nn.Module]) -> nn.Module:
    """Rebuild a module by `build`, with the arrays under a key; shapes are checked before memory is taken."""
    with torch.device("meta"):
        _match(build(), packed, key)
    module = build()
    _load(module, packed, key)
    return module.eval().requires_grad_(False)


def _encoder(packed: Packed, key: str, entry: Mapping[str, Any]) -> Encoder:
    part = registered("encoders", entry["name"])
    settings = entry["settings"]
    known = [name for name in inspect.signature(part.__init__).parameters if name not in UNSAVED]
    for name, value in settings.items():
        if name not in known or not isinstance(value, PLAIN):
            raise ModelFormatError(
                f"config.yaml: encoder {entry['name']!r} has no plain setting {name!r}; expected {known}"
            )
    encoder: Encoder = part(**settings)
    encoder.restore(json.loads(packed.learned.get(key, "{}")))
    encoder.restore_texts({n[len(key) + 1 :]: t for n, t in packed.texts.items() if n.startswith(f"{key}.")})
    _load(encoder, packed, key)
    encoder.eval().requires_grad_(False)
    return encoder


def registered(family: str, name: Any) -> Any:
    """The part that a folder names; `ModelFormatError` where it is no name or none is registered."""
    if not isinstance(name, str) or not registry.NAME.match(name):
        raise ModelFormatError(
            f"config.yaml: {name!r} is no name of a part of {family}; expected lower-case letters, digits, _"
        )
    try:
        return registry.get(family, name)
    except RegistryError as error:
        raise ModelFormatError(f"config.yaml: {error}") from None


def fitting(view: View, encoder: Encoder) -> Encoder:
    """The encoder, if it is one for the view's modality."""
    if encoder.modality != view.modality:
        raise ModelFormatError(f"config.yaml: view {view.name!r} is {view.modality}, its encoder's {encoder.modality}")
    return encoder


def _load(module: nn.Module, packed: Packed, key: str) -> None:
    module.load_state_dict(_match(module, packed, key))


def _match(module: nn.Module, packed: Packed, key: str) -> dict[str, torch.Tensor]:
    """The saved arrays of a module; raises where one is missing or has another shape."""
    return match_state(module.state_dict(), packed, key)


def match_state(own: Mapping[str, torch.Tensor], packed: Packed, key: str) -> dict[str, torch.Tensor]:
    """The saved arrays under a key, of the same names and shapes as a module's own; raises where one is not."""
    start = f"{key}."
    state = {n[len(start) :]: t for n, t in packed.arrays.items() if n.startswith(start) and n[len(start) :] in own}
    for name, tensor in own.items():
        if name not in state or state[name].shape != tensor.shape:
            got = tuple(state[name].shape) if name in state else "nothing"
            raise ModelFormatError(
                f"weights.safetensors: {start}{name}: expected shape {tuple(tensor.shape)}, got {got}"
            )
    return state
