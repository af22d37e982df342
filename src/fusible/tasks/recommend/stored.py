"""Recommenders as folders of plain files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix

from fusible.errors import ModelFormatError
from fusible.tasks import pack
from fusible.tasks.folder import FORMAT, check_model, opened, store
from fusible.tasks.recommend._als import Als, AlsSettings
from fusible.tasks.recommend._content import Content, ContentSettings
from fusible.tasks.recommend._parts import ALS, CONTENT, EASE, POPULAR, Parts, Settings
from fusible.tasks.recommend._people import People
from fusible.tasks.recommend._scorers import MOST_ITEMS, Ease, EaseSettings, popular
from fusible.tasks.recommend.items import Items
from fusible.tasks.recommend.ratings import Ratings
from fusible.tasks.recommend.recommender import Recommender

KEY = "recommender"
PARTS = (EASE, ALS, CONTENT, POPULAR)


def save(model: Recommender, folder: Path) -> Path:
    """Write the model's folder, whole or not at all."""
    place, packer = check_model(folder), pack.Packer()
    held, items, parts = model.ratings, model.items, model.parts
    arrays: dict[str, np.ndarray] = {"user": held.user, "item": held.item, "rating": held.rating.astype(np.float64)}
    if parts.ease is not None:
        arrays |= {"ease.items": parts.ease.items, "ease.users": parts.ease.users}
    if parts.als is not None:
        arrays["als"] = parts.als.items
    if parts.content is not None:
        arrays["content"] = parts.content.solved
    if model.attributes is not None:
        arrays["attributes"] = model.attributes
    if items.centre is not None:
        arrays["centre"] = items.centre
    for view, values in items.views.items():
        if isinstance(values, csr_matrix):
            arrays |= {f"view.{view}.{part}": getattr(values, part) for part in ("data", "indices", "indptr")}
        else:
            arrays[f"view.{view}"] = values
    for name, values in arrays.items():
        packer.packed.arrays[f"{KEY}.{name}"] = torch.from_numpy(np.ascontiguousarray(values))
    learned: dict[str, Any] = {"users": held.users, "items": items.ids, "names": items.names, "terms": items.terms}
    learned["cells"] = None if items.table is None else items.table.to_dict("list")
    packer.packed.learned |= {
        name: json.dumps(value, ensure_ascii=False, default=str) for name, value in learned.items()
    }
    plain = {
        "views": {view: int(values.shape[1]) for view, values in items.views.items()},
        "settings": asdict(parts.settings),
        "stands": dict(parts.stands or {}),
        "people": None if model.people is None else asdict(model.people),
        "tabular": list(items.tabular),
        "columns": dict(held.columns),
        "encoder": None if items.encoder is None else packer.encoder(items.encoder),
    }
    config = {"format": FORMAT, KEY: plain, "encoders": packer.packed.encoders, "info": model.info}
    return store(place, config, packer.packed, _card(model))


def load_recommender(folder: str | Path) -> Recommender:
    """Load a recommender's folder; safe as loading a model folder is.

    Raises `ModelFormatError` naming the file, what was expected and what was found.
    """
    place = Path(folder)
    with opened(place) as (config, packed):
        plain = config.get(KEY)
        if not isinstance(plain, Mapping):
            raise ModelFormatError(f"{place}: holds no recommender; make one with `fusible recommend fit`")
        arrays = {n[len(KEY) + 1 :]: t.numpy() for n, t in packed.arrays.items() if n.startswith(f"{KEY}.")}
        ratings, items = _ratings(packed, plain, arrays), _items(packed, plain, arrays)
        size = len(items.ids)
        if size > MOST_ITEMS or size != len(ratings.items):
            raise ModelFormatError(f"{place}: {size} items, expected those of the ratings, at most {MOST_ITEMS}")
        told = plain["people"]
        people = None if told is None else People(_lists(told["levels"], str), _lists(told["edges"], float))
        wide = 0 if people is None else len(people.names)
        attributes = None if people is None else _shaped(arrays, "attributes", len(ratings.users), wide)
        parts = _parts(plain, arrays, items, popular(ratings.matrix()), wide)
        return Recommender(ratings, items, parts, people, attributes, dict(config["info"]))


def _ratings(packed: pack.Packed, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Ratings:
    users, items = (_names(packed, name) for name in ("users", "items"))
    user, item, rating = (arrays[name] for name in ("user", "item", "rating"))
    for what, places, names in (("user", user, users), ("item", item, items)):
        good = places.ndim == 1 and places.dtype == np.int64 and len(places) == len(rating)
        if not good or (len(places) and not 0 <= places.min() <= places.max() < len(names)):
            raise ModelFormatError(f"weights.safetensors: {KEY}.{what}: expected places of {what}s, one per rating")
    return Ratings(users, items, user, item, rating, dict(plain["columns"]))


def _items(packed: pack.Packed, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Items:
    ids, names = _names(packed, "items"), _names(packed, "names")
    found = Items(ids, names=names, tabular=tuple(map(str, plain["tabular"])))
    terms = json.loads(packed.learned["terms"])
    found.terms = {view: tuple((str(a), str(b)) for a, b in held) for view, held in terms.items()}
    for view, width in plain["views"].items():
        if view in found.terms:
            found.views[view] = _sparse(arrays, view, len(ids), int(width))
        else:
            found.views[view] = _shaped(arrays, f"view.{view}", len(ids), int(width))
    cells = json.loads(packed.learned["cells"])
    found.table = None if cells is None else pd.DataFrame(cells, dtype=object)
    if len(names) != len(ids) or (found.table is not None and len(found.table) != len(ids)):
        raise ModelFormatError("preprocessing: names and cells do not go with the items")
    if plain["encoder"] is not None:
        found.encoder = pack.unpack_encoders(packed)[str(plain["encoder"])]
        found.centre = _shaped(arrays, "centre", found.encoder.output_width)
    return found


def _parts(
    plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray], items: Items, count: np.ndarray, attributes: int
) -> Parts:
    size, given = len(items.ids), plain["settings"]
    ease = None if given["ease"] is None else EaseSettings(**_told(given["ease"]))
    als = None if given["als"] is None else AlsSettings(**given["als"])
    content = None if given["content"] is None else ContentSettings(**_told(given["content"]))
    weights = tuple((str(name), float(weight)) for name, weight in given["weights"])
    held = {EASE: ease, ALS: als, CONTENT: content}
    if odd := [name for name, _ in weights if name not in PARTS or (name in held and held[name] is None)]:
        raise ModelFormatError(f"config.yaml: weight of {odd[0]!r}, expected one of a part that is there")
    parts = Parts(
        Settings(ease, als, content, weights), count, stands={k: float(v) for k, v in plain["stands"].items()}
    )
    if ease is not None:
        users = _shaped(arrays, "ease.users", attributes if ease.users else 0, size)
        parts.ease = Ease(_shaped(arrays, "ease.items", size, size), users)
    if als is not None:
        parts.als = Als(als, _shaped(arrays, "als", size, als.factors))
    if content is not None:
        parts.content = Content.solved_by(items.kernels(), count > 0, content, _shaped(arrays, "content", size, size))
    return parts


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    views = tuple((str(view), float(weight)) for view, weight in given["views"])
    return {name: float(value) for name, value in given.items() if name != "views"} | {"views": views}


def _lists(given: Mapping[str, Sequence[Any]], kind: type) -> dict[str, tuple[Any, ...]]:
    return {str(name): tuple(kind(one) for one in values) for name, values in given.items()}


def _names(packed: pack.Packed, name: str) -> tuple[str, ...]:
    held = json.loads(packed.learned[name])
    if not isinstance(held, list) or not held or not all(isinstance(one, str) for one in held):
        raise ModelFormatError(f"preprocessing/{name}.json: expected a list of names")
    return tuple(held)


def _shaped(arrays: Mapping[str, np.ndarray], name: str, *shape: int) -> np.ndarray:
    if name not in arrays or arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
        got = arrays[name].shape if name in arrays else "nothing"
        raise ModelFormatError(f"weights.safetensors: {KEY}.{name}: expected finite values of shape {shape}, got {got}")
    return arrays[name]


def _sparse(arrays: Mapping[str, np.ndarray], view: str, rows: int, width: int) -> csr_matrix:
    data, indices, indptr = (arrays[f"view.{view}.{part}"] for part in ("data", "indices", "indptr"))
    found = csr_matrix((data, indices, indptr), shape=(rows, width))
    found.check_format(full_check=True)
    return found


def _card(model: Recommender) -> str:
    score = model.info.get("ndcg@10")
    said = f"\nNDCG@10 on test interactions: {score:.4g}\n" if isinstance(score, float) else ""
    sizes = f"{len(model.ratings.users)} users, {len(model.items.ids)} items, {len(model.ratings)} interactions"
    return f"# Fusible recommender: {model.info.get('candidate', '')}\n\n{sizes}\n{said}"
