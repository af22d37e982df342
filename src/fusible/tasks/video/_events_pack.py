"""Packing finders of events as plain values and arrays, and back, by registered names only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fusible.errors import ModelFormatError
from fusible.tasks import pack
from fusible.tasks.video._events_members import RULES, Average, Finder, Member, build, members_of
from fusible.tasks.video._events_read import build_encoder
from fusible.tasks.video._events_targets import DEEPEST
from fusible.tasks.video._events_tracks import VIEWS, TrackEncoder

KEY = "events"
WIDEST, MOST = 4_096, 100_000
WHOLE = {"classes": MOST, "levels": DEEPEST, "width": WIDEST}
SHARES = ("dropout", "modality_dropout")


def pack_finder(packer: pack.Packer, finder: Finder, encoders: Mapping[str, TrackEncoder]) -> dict[str, Any]:
    """Add all that a finder and its encoders hold; their plain description."""
    members = members_of(finder)
    for i, member in enumerate(members):
        packer.arrays(f"member{i}", member.network)
    for view, encoder in encoders.items():
        arrays = {f"track.{view}.{name}": torch.from_numpy(np.array(a)) for name, a in encoder.arrays().items()}
        packer.packed.arrays.update(arrays)
    return {
        "name": finder.name,
        "rule": finder.rule if isinstance(finder, Average) else None,
        "weights": list(finder.weights) if isinstance(finder, Average) else None,
        "members": [{"name": m.name, "views": list(m.views), "recipe": dict(m.recipe)} for m in members],
        "tracks": {view: {"kind": e.kind, "settings": dict(e.plain())} for view, e in encoders.items()},
    }


def unpack_finder(parts: pack.Packed, plain: Mapping[str, Any], classes: int) -> tuple[Finder, dict[str, TrackEncoder]]:
    """Rebuild what `pack_finder` described, ready to find."""
    encoders = {}
    for view, one in plain["tracks"].items():
        start = f"track.{view}."
        arrays = {n[len(start) :]: a.numpy() for n, a in parts.arrays.items() if n.startswith(start)}
        encoders[view] = build_encoder(one["kind"], one["settings"], arrays)
        if view not in VIEWS or encoders[view].view != view:
            raise ModelFormatError(f"config.yaml: {KEY}: view {view!r} is not what its encoder {one['kind']!r} gives")
    if len({encoder.rate for encoder in encoders.values()}) != 1:
        raise ModelFormatError(f"config.yaml: {KEY}: expected one rate for all views")
    members = tuple(_member(parts, one, f"member{i}", encoders, classes) for i, one in enumerate(plain["members"]))
    if not members:
        raise ModelFormatError(f"config.yaml: {KEY}: expected one member or more, got none")
    if plain["rule"] is None:
        return members[0], encoders
    weights = tuple(float(weight) for weight in plain["weights"])
    if plain["rule"] not in RULES or len(weights) != len(members) or not all(0 < w < math.inf for w in weights):
        raise ModelFormatError(f"config.yaml: {KEY}: expected a rule of {', '.join(RULES)} and a weight per member")
    if len({member.network.levels for member in members}) != 1:
        raise ModelFormatError(f"config.yaml: {KEY}: expected members of as many levels")
    return Average(str(plain["name"]), members, weights, str(plain["rule"])), encoders


def _member(
    parts: pack.Packed, plain: Mapping[str, Any], key: str, encoders: Mapping[str, TrackEncoder], classes: int
) -> Member:
    views = tuple(str(view) for view in plain["views"])
    if not views or any(view not in encoders for view in views):
        raise ModelFormatError(f"config.yaml: {KEY}: {key}: expected views of {', '.join(encoders)}, got {views}")
    recipe = _recipe(plain["recipe"], key)
    if recipe["classes"] != classes:
        raise ModelFormatError(f"config.yaml: {KEY}: {key}: {recipe['classes']} classes, expected {classes}")
    own = {view: encoders[view] for view in views}
    network: Any = pack.unpack_module(parts, key, lambda: build(recipe, own))
    return Member(str(plain["name"]), views, network, recipe)


def _recipe(plain: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A saved recipe: a registered operator, and numbers in their ranges."""
    pack.registered("fusion", plain["operator"])
    for name, most in WHOLE.items():
        value = plain[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ModelFormatError(f"config.yaml: {KEY}: {key}: {name}: expected 1 to {most}, got {value!r}")
    for name, high in (("size", 1e9), *((share, 1.0) for share in SHARES)):
        value = plain[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < high:
            raise ModelFormatError(
                f"config.yaml: {KEY}: {key}: {name}: expected a number below {high:g}, got {value!r}"
            )
    names = ("operator", "classes", "levels", "size", "width", *SHARES)
    return {name: plain[name] for name in names}
