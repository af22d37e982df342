"""Packing writers as plain values and arrays, and back, by registered names only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fusible.decoders._generate import MOST_TOKENS
from fusible.decoders._vocabulary import Vocabulary
from fusible.encoders._base import Encoder
from fusible.errors import ModelFormatError
from fusible.tasks import pack
from fusible.tasks.writer import Author, Writer, Writers, build_captioner, width_of
from fusible.types import View

VOCABULARY = "vocabulary"
KEY = "captioner"
WIDEST, DEEPEST = 8_192, 64


def pack_author(packer: pack.Packer, author: Author) -> dict[str, Any]:
    """Add all that an author writes with; its plain description."""
    packer.packed.learned[VOCABULARY] = author.vocabulary.to_json()
    members = author.members if isinstance(author, Writers) else (author,)
    plain = [_packed(packer, member, f"{KEY}{i}") for i, member in enumerate(members) if isinstance(member, Writer)]
    return {"name": author.name, "writers": plain}


def unpack_author(parts: pack.Packed, plain: Mapping[str, Any], views: tuple[View, ...]) -> Author:
    """Rebuild what `pack_author` described, ready to write."""
    known, vocabulary = pack.unpack_encoders(parts), Vocabulary(parts.learned[VOCABULARY])
    given = plain.get("writers")
    if not isinstance(given, list) or not given:
        raise ModelFormatError(f"config.yaml: {KEY}: writers: expected a list of one or more, got {given!r}")
    members = tuple(
        _unpacked(parts, one, f"{KEY}{i}", {view.name: view for view in views}, known, vocabulary)
        for i, one in enumerate(given)
    )
    return members[0] if len(members) == 1 else Writers(str(plain["name"]), members)


def _packed(packer: pack.Packer, writer: Writer, key: str) -> dict[str, Any]:
    views = {view.name: packer.encoder(writer.encoders[view.name]) for view in writer.views}
    own = writer.network.own_state().items()
    packer.packed.arrays.update({f"{key}.{name}": array.detach().clone() for name, array in own})
    return {
        "name": writer.name,
        "views": views,
        "live": list(writer.live),
        "recipe": writer.recipe,
        "longest": writer.longest,
    }


def _unpacked(
    parts: pack.Packed,
    plain: Mapping[str, Any],
    key: str,
    views: Mapping[str, View],
    known: Mapping[str, Encoder],
    vocabulary: Vocabulary,
) -> Writer:
    own = tuple(views[name] for name in plain["views"])
    encoders: dict[str, Any] = {view.name: pack.fitting(view, known[plain["views"][view.name]]) for view in own}
    recipe = _recipe(plain["recipe"])
    widths = {name: width_of(encoder) for name, encoder in encoders.items()}
    network: Any = pack.unpack_module(parts, key, lambda: build_captioner(recipe, {}, widths, vocabulary.size))
    live = tuple(str(name) for name in plain["live"])
    for name in live:
        if encoders[name].frozen:
            encoders[name].thaw()
        encoders[name].requires_grad_(False)
    network.encoders = nn.ModuleList(encoders[name] for name in live)
    network.positions = {name: i for i, name in enumerate(live)}
    return Writer(
        str(plain["name"]),
        own,
        encoders,
        network,
        vocabulary,
        recipe,
        live,
        _whole("longest", plain["longest"], MOST_TOKENS),
    )


def _recipe(plain: Mapping[str, Any]) -> dict[str, Any]:
    """A saved recipe: registered names, plain values in their ranges."""
    recipe = dict(plain)
    pack.registered("decoders", recipe["decoder"])
    if recipe["operator"] is not None:
        pack.registered("fusion", recipe["operator"])
    sizes = {name: recipe[name] for name in ("width", "layers", "decoder_layers", "heads")}
    for name, value in sizes.items():
        _whole(name, value, WIDEST if name == "width" else DEEPEST)
    if not all(isinstance(name, str) for name in recipe["sequences"]):
        raise ModelFormatError(f"config.yaml: {KEY}: sequences: expected names of views, got {recipe['sequences']!r}")
    return recipe


def _whole(name: str, value: Any, most: int) -> int:
    """A saved number in its range."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ModelFormatError(f"config.yaml: {KEY}: {name}: expected a whole number up to {most}, got {value!r}")
    return value
