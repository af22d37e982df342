"""Unpacking: a tree of fitted nodes from what a model folder holds; all that it says is checked first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fusible.encoders._base import Encoder
from fusible.ensembles._base import Rule
from fusible.errors import ModelFormatError
from fusible.tasks.build import JOINT, build_network
from fusible.tasks.nodes import EnsembleNode, NetworkNode, Node, PredictorNode, eyes, predictions, seeing
from fusible.tasks.pack import PLAIN, Packed, fitting, match_state, registered, unpack_encoders
from fusible.types import Task, View

PREPARED = ("aligner", "specs", "impute", "components")
"""What a recipe says of the vectors that its operator sees."""


def unpack(packed: Packed, views: Mapping[str, View], task: Task) -> Node:
    """Rebuild a node; names must be registered, settings plain and known to the part, shapes as the parts have them."""
    return _node(packed, packed.tree, views, unpack_encoders(packed), task)


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
    bases = _bases(packed, plain, views, encoders, task)
    with torch.device("meta"):  # shapes are checked before memory is taken
        match_state(build_network(recipe, {}, widths, task.outputs).own_state(), packed, key)
    network = build_network(recipe, {view: seen[view] for view in live}, widths, task.outputs)
    state = match_state(network.own_state(), packed, key)
    network.load_state_dict(state, strict=False)
    network.eval()
    own = tuple(views[v] for v in seen)
    return NetworkNode(plain["name"], task, prior, own, seen, network, recipe, live, bases)


def _bases(
    packed: Packed, plain: Mapping[str, Any], views: Mapping[str, View], encoders: Mapping[str, Encoder], task: Task
) -> dict[str, Node]:
    """The predictors that a network with an offset starts from: one for each view, which sees nothing else."""
    found = {str(v): _node(packed, base, views, encoders, task) for v, base in plain.get("bases", {}).items()}
    odd = [v for v, base in found.items() if v not in plain["views"] or {one.name for one, _ in base.inputs()} != {v}]
    if odd or set(found) != (set(plain["views"]) if plain.get("offset") else set()):
        raise ModelFormatError(
            f"config.yaml: {plain['key']}: expected one base for each view where there is an offset, which sees that "
            f"view alone, got {list(found)}"
        )
    return found


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
    recipe |= {name: plain[name] for name in ("operator", "width", *PREPARED, "offset") if name in plain}
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
