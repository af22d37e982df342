"""Packing: a tree of fitted nodes as plain values and arrays, and back, by registered names only."""

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
from fusible.ensembles._base import Rule
from fusible.errors import ModelFormatError, RegistryError
from fusible.tasks.build import JOINT, build_network
from fusible.tasks.nodes import EnsembleNode, NetworkNode, Node, PredictorNode, eyes, predictions, seeing
from fusible.types import Task, View

PLAIN = (str, int, float, bool, type(None))
UNSAVED = frozenset({"self", "path"})
"""Parameters that a folder may not set: a path would lead out of it."""
PREPARED = ("aligner", "specs", "impute", "components")
"""What a recipe says of the vectors that its operator sees."""


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
            return {**plain, "kind": "network", "views": views, "live": list(node.live), **node.recipe}
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


def unpack(packed: Packed, views: Mapping[str, View], task: Task) -> Node:
    """Rebuild a node; names must be registered, settings plain and known to the part, shapes as the parts have them."""
    return _node(packed, packed.tree, views, unpack_encoders(packed), task)


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


def _node(
    packed: Packed, plain: Mapping[str, Any], views: Mapping[str, View], encoders: Mapping[str, Encoder], task: Task
) -> Node:
    key, name = str(plain["key"]), str(plain["name"])
    prior = packed.arrays[f"{key}.prior"].numpy()
    if prior.shape != (task.outputs,) or not np.isfinite(prior).all():
        raise ModelFormatError(
            f"weights.safetensors: {key}.prior: expected {task.outputs} finite values, got shape {prior.shape}"
        )
    if plain["kind"] == "predictor":
        view = views[plain["view"]]
        encoder = fitting(view, encoders[plain["encoder"]])
        if not encoder.predicts:
            raise ModelFormatError(f"config.yaml: {plain['encoder']!r} predicts nothing by itself; expected a network")
        return PredictorNode(name, task, prior, view, encoder)
    if plain["kind"] == "network":
        return _network(packed, plain, views, encoders, task, prior)
    if plain["kind"] != "ensemble":
        raise ModelFormatError(
            f"config.yaml: node kind {plain['kind']!r} is unknown; expected predictor, network or ensemble"
        )
    return _ensemble(packed, plain, views, encoders, task, prior)


def _ensemble(
    packed: Packed,
    plain: Mapping[str, Any],
    views: Mapping[str, View],
    encoders: Mapping[str, Encoder],
    task: Task,
    prior: np.ndarray,
) -> EnsembleNode:
    members = tuple(_node(packed, member, views, encoders, task) for member in plain["members"])
    temperatures = tuple(float(t) for t in plain["temperatures"])
    if not members or len(temperatures) != len(members) or not all(0 < t < np.inf for t in temperatures):
        raise ModelFormatError(f"config.yaml: {plain['rule']}: expected one positive temperature for each member")
    start = f"{plain['key']}.rule."
    state = {n[len(start) :]: t.numpy() for n, t in packed.arrays.items() if n.startswith(start)}
    if odd := [name for name, array in state.items() if not np.isfinite(array).all()]:
        raise ModelFormatError(f"weights.safetensors: {start}{odd[0]}: expected finite values; copy or fit it again")
    rule = registered("ensembles", plain["rule"])().restore(task, prior, state)
    tried = _tried(rule, members, temperatures, task)
    if tried.shape[1:] != (task.outputs,) or not np.isfinite(tried).all():
        raise ModelFormatError(
            f"weights.safetensors: {start}*: expected {task.outputs} finite outputs, got shape {tried.shape[1:]}"
        )
    return EnsembleNode(str(plain["name"]), task, prior, rule, plain["rule"], members, temperatures)


def _tried(rule: Rule, members: tuple[Node, ...], temperatures: tuple[float, ...], task: Task) -> np.ndarray:
    """What a rule gives for members' priors: with all views present, and with each alone."""
    views, sees = seeing(members)
    seen = np.concatenate([np.ones((1, len(views)), bool), np.eye(len(views), dtype=bool)])
    extra: dict[str, Any] = {"views": tuple(view.name for view in views), "sees": sees, "seen": seen}
    if rule.sees_encodings:
        extra["encodings"] = {v.name: np.zeros((len(seen), e.output_width), np.float32) for v, e, _ in eyes(members)}
    scores = [np.tile(member.prior, (len(seen), 1)) for member in members]
    return rule.predict(predictions(members, scores, np.asarray(seen @ sees.T), temperatures, task, extra))


def _network(
    packed: Packed,
    plain: Mapping[str, Any],
    views: Mapping[str, View],
    encoders: Mapping[str, Encoder],
    task: Task,
    prior: np.ndarray,
) -> NetworkNode:
    key, live = plain["key"], tuple(plain["live"])
    seen = {view: fitting(views[view], encoders[encoder]) for view, encoder in plain["views"].items()}
    widths = {view: encoder.output_width for view, encoder in seen.items()}
    recipe = _recipe(plain, widths)
    with torch.device("meta"):  # shapes are checked before memory is taken
        _match_state(build_network(recipe, {}, widths, task.outputs).own_state(), packed, key)
    network = build_network(recipe, {view: seen[view] for view in live}, widths, task.outputs)
    state = _match_state(network.own_state(), packed, key)
    network.load_state_dict(state, strict=False)
    network.eval()
    return NetworkNode(plain["name"], task, prior, tuple(views[v] for v in seen), seen, network, recipe, live)


def _recipe(plain: Mapping[str, Any], widths: Mapping[str, int]) -> dict[str, Any]:
    """The recipe of a saved network: registered names, plain values, projections as wide as their encoders."""
    part = registered("networks", plain.get("network", JOINT))
    recipe = {name: plain[name] for name in ("network", *part.options) if name in plain}
    odd = [name for name, value in recipe.items() if not isinstance(value, PLAIN)]
    if odd:
        raise ModelFormatError(f"config.yaml: {plain['key']}: {odd[0]}: expected a plain value, got {recipe[odd[0]]!r}")
    if plain.get("network", JOINT) != JOINT:
        return recipe
    registered("fusion", plain["operator"])
    recipe |= {name: plain[name] for name in ("operator", "width", *PREPARED) if name in plain}
    if "impute" in plain:
        registered("alignment", plain["impute"])
    if "aligner" in plain:
        registered("alignment", plain["aligner"])
        for view, inputs in widths.items():
            if plain["specs"][view].get("inputs") != inputs:
                raise ModelFormatError(
                    f"config.yaml: projection of view {view!r}: expected {inputs} inputs as its encoder gives, "
                    f"got {plain['specs'][view].get('inputs')}"
                )
    return recipe


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
    return _match_state(module.state_dict(), packed, key)


def _match_state(own: Mapping[str, torch.Tensor], packed: Packed, key: str) -> dict[str, torch.Tensor]:
    start = f"{key}."
    state = {n[len(start) :]: t for n, t in packed.arrays.items() if n.startswith(start) and n[len(start) :] in own}
    for name, tensor in own.items():
        if name not in state or state[name].shape != tensor.shape:
            got = tuple(state[name].shape) if name in state else "nothing"
            raise ModelFormatError(
                f"weights.safetensors: {start}{name}: expected shape {tuple(tensor.shape)}, got {got}"
            )
    return state
