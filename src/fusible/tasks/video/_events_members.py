"""What finds events: one localiser over some views, or several whose scores are averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fusible import registry
from fusible.networks._localiser import Dense, Localiser, margin, points
from fusible.tasks.video._events_proposals import Found, Points, propose
from fusible.tasks.video._events_tracks import TrackEncoder, Tracks

CHUNK = 4_096
"""Steps that a localiser reads at a time, beside the margins that it can see."""
RULES = ("average", "product")
SMALL = 1e-6
"""Chances are kept this far from 0 and 1 before their log-odds are taken."""


@dataclass(slots=True)
class Member:
    """A fitted localiser over `views`; `recipe` is what it is built from."""

    name: str
    views: tuple[str, ...]
    network: Localiser
    recipe: dict[str, Any]

    def dense(self, tracks: Tracks) -> Dense:
        """Scores at all points of a film, on the network's device; how the film is cut for reading changes nothing."""
        levels, steps = self.network.levels, tracks.steps
        around = margin(levels)
        parts = [
            _kept(
                self._stretch(tracks, max(0, at - around), min(steps, at + CHUNK + around)), at, around, steps, levels
            )
            for at in range(0, steps, CHUNK)
        ]
        return _joined(parts, levels)

    @torch.inference_mode()
    def _stretch(self, tracks: Tracks, first: int, last: int) -> Dense:
        self.network.eval()
        device = next(self.network.parameters()).device
        values = {view: torch.from_numpy(tracks.views[view].values[None, first:last]).to(device) for view in self.views}
        presence = torch.from_numpy(tracks.presence(self.views)[None, first:last]).to(device)
        dense = self.network(values, presence)
        return Dense(dense.logits[0].cpu(), dense.sides[0].cpu(), dense.quality[0].cpu())


@dataclass(slots=True)
class Average:
    """Several localisers on one clock: scores, distances and quality are averaged by `weights`, which sum to one.

    `rule`: whether chances of classes are averaged (`average`), or their log-odds (`product`). A member none of whose
    views is there at a step has no part in it.
    """

    name: str
    members: tuple[Member, ...]
    weights: tuple[float, ...]
    rule: str = "product"

    @property
    def views(self) -> tuple[str, ...]:
        """Views of all members."""
        return tuple(dict.fromkeys(view for member in self.members for view in member.views))

    def dense(self, tracks: Tracks) -> Dense:
        """Averages at all points of a film."""
        return mixed([member.dense(tracks) for member in self.members], self.weights, self.seen(tracks), self.rule)

    def seen(self, tracks: Tracks) -> list[np.ndarray]:
        """For each member, whether it sees anything at each point."""
        return [_at_points(np.asarray(tracks.presence(m.views).any(axis=1)), m.network.levels) for m in self.members]


Finder = Member | Average


def find(finder: Finder, tracks: Tracks, *, floor: float) -> Found:
    """Events of a film."""
    return events(finder.dense(tracks), tracks, levels_of(finder), floor=floor)


def events(dense: Dense, tracks: Tracks, levels: int, *, floor: float) -> Found:
    """Events from scores at all points of a film."""
    rate = tracks.steps / tracks.duration if tracks.duration > 0 else 1.0
    places, _ = points(tracks.steps, levels)
    scores = (torch.sigmoid(dense.logits) * torch.sigmoid(dense.quality).sqrt().unsqueeze(-1)).numpy()
    sides = dense.sides.numpy() / rate
    return propose(Points(places.numpy() / rate, sides, scores), tracks.duration, floor=floor)


def members_of(finder: Finder) -> tuple[Member, ...]:
    """Its localisers."""
    return finder.members if isinstance(finder, Average) else (finder,)


def levels_of(finder: Finder) -> int:
    """Levels of the pyramid."""
    return members_of(finder)[0].network.levels


def mixed(dense: Sequence[Dense], weights: Sequence[float], seen: Sequence[np.ndarray], rule: str) -> Dense:
    """The average of members' scores; where a member sees nothing, that of the others."""
    share = torch.stack([w * torch.from_numpy(one).float() for w, one in zip(weights, seen, strict=True)])
    none = share.sum(dim=0) == 0
    share = torch.where(none, torch.tensor(1.0 / len(dense)), share)
    share = (share / share.sum(dim=0)).unsqueeze(-1)
    if rule == "average":
        logits = torch.logit(_sum(one.logits.sigmoid() * part for one, part in zip(dense, share, strict=True)), SMALL)
    else:
        logits = _sum(one.logits * part for one, part in zip(dense, share, strict=True))
    return Dense(
        logits,
        _sum(one.sides * part for one, part in zip(dense, share, strict=True)),
        _sum(one.quality * part[:, 0] for one, part in zip(dense, share, strict=True)),
    )


def _sum(parts: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(parts)).sum(dim=0)


def build(recipe: Mapping[str, Any], encoders: Mapping[str, TrackEncoder]) -> Localiser:
    """A localiser of a recipe, over tracks as these encoders {view: encoder} give them."""
    width = int(recipe["width"])
    operator = registry.build("fusion", recipe["operator"], widths=dict.fromkeys(encoders, width), width=width)
    settings = {name: recipe[name] for name in ("levels", "size", "dropout", "modality_dropout")}
    columns = {view: encoder.columns for view, encoder in encoders.items()}
    bands = {view: encoder.bands for view, encoder in encoders.items() if encoder.bands}
    return Localiser(columns, operator, int(recipe["classes"]), width=width, bands=bands, **settings)


def _at_points(steps: np.ndarray, levels: int) -> np.ndarray:
    """From steps to points: a point of a higher level has what one of its steps has."""
    parts = [steps]
    for _ in range(levels - 1):
        last = np.pad(parts[-1], (0, len(parts[-1]) % 2))
        parts.append(last[::2] | last[1::2])
    return np.concatenate(parts)


def _lengths(steps: int, levels: int) -> list[int]:
    """Points of each level."""
    found = [steps]
    for _ in range(levels - 1):
        found.append((found[-1] + 1) // 2)
    return found


def _kept(dense: Dense, at: int, around: int, steps: int, levels: int) -> list[Dense]:
    """Of a stretch that was read with margins, the points of each level that are its own."""
    first = max(0, at - around)
    last = min(steps, at + CHUNK + around)
    begin, parts = 0, []
    for level, number in enumerate(_lengths(last - first, levels)):
        own = slice(begin + ((at - first) >> level), begin + min(number, (at - first + CHUNK) >> level))
        parts.append(Dense(dense.logits[own], dense.sides[own], dense.quality[own]))
        begin += number
    return parts


def _joined(parts: Sequence[Sequence[Dense]], levels: int) -> Dense:
    """Stretches one after the other, level by level."""
    order = [part[level] for level in range(levels) for part in parts]
    return Dense(
        torch.cat([one.logits for one in order]),
        torch.cat([one.sides for one in order]),
        torch.cat([one.quality for one in order]),
    )
