"""Which encoders a view gets: what the user named, else the documented default rule."""

from __future__ import annotations

from collections.abc import Mapping

from fusible import registry
from fusible.encoders._base import Encoder
from fusible.encoders._default import default_encoders
from fusible.encoders._resolve import part_name, resolve
from fusible.errors import ConfigError, DataError, SchemaError
from fusible.tasks.context import Context
from fusible.training.loop import seeded
from fusible.types import Modality, View


def encoders_of(
    context: Context, views: tuple[View, ...], given: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Candidate encoders per view, and why; raises where a named one does not fit its view."""
    unknown = set(given) - {view.name for view in views}
    if unknown:
        raise SchemaError(f"--encoder: no view is called {sorted(unknown)[0]!r}; views are {[v.name for v in views]}")
    names: dict[str, tuple[str, ...]] = {}
    reasons: dict[str, str] = {}
    for view in views:
        if view.name in given:
            names[view.name], reasons[view.name] = (given[view.name],), "named by the user"
            _check(view, given[view.name])
        else:
            data = context.source.data(view)
            names[view.name], reasons[view.name] = default_encoders(view, data, context.split.train)
    return names, reasons


def ready_encoder(context: Context, view: View, name: str, *, tokens: bool = False) -> Encoder:
    """Build an encoder, let it learn vocabulary or statistics from training items, decode and encode its view.

    Frozen encoders encode every distinct item now, through the cache, with `tokens` as sequences too, so that whoever
    reads either later finds it; trained ones only have them decoded.
    """
    items = context.source.training_items(view, context.split.train)
    if not len(items):
        raise _nothing(view)
    with seeded(context.seed):
        encoder: Encoder = resolve(name, view.modality)
        try:
            encoder.fit(items)
        except DataError as error:  # an encoder learns from the items it can read, and raises where there is none
            raise _nothing(view, f" ({error})") from error
    if not encoder.predicts:
        sequences = tokens and encoder.frozen and view.modality is not Modality.TABLE
        context.source.feed(view, encoder, encoded=encoder.frozen, tokens=sequences)
    if not len(context.present([view], context.split.train)):
        raise _nothing(view)
    return encoder


def _nothing(view: View, why: str = "") -> DataError:
    out = " ".join(f"--column {name}=:ignore" for name in view.columns)
    return DataError(f"view {view.name!r}: no training row has a readable cell{why}; mend them or leave it out: {out}")


def _check(view: View, name: str) -> None:
    if name.startswith("hf:"):
        return
    modality = registry.get("encoders", part_name(name)).modality
    if modality != view.modality:
        fitting = [n for n in registry.names("encoders") if n.startswith(f"{view.modality}_")]
        raise ConfigError(
            f"--encoder {view.name}={name}: encodes {modality}, the view is {view.modality}; expected one of {fitting}"
        )
