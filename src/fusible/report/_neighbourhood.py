"""A neighbourhood of a graph as SVG: entities as pills, links as arrows, laid out here: a page needs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

WIDTH, HEIGHT = 1120.0, 640.0
LETTER, TALL, PADDING = 7.0, 26.0, 20.0
"""Width of a letter, height of a pill, and room at its sides, in pixels."""
LINK_LETTER, GAP = 6.0, (14.0, 22.0)
"""Width of a letter of a link's label; least room between pills, beside and below."""
LONGEST, LONGEST_LINK = 26, 30
FARTHEST = 3.0
"""Distance of entities that no path joins, in links."""
ROUNDS = 200
MOST_LABELS = 36
"""Arrows beyond which only those of paths are labelled; the others say theirs when pointed at."""


@dataclass(frozen=True, slots=True)
class Node:
    """An entity: its key, what is shown, its `kind` (linked, answer, other), what it says when pointed at, a link."""

    key: str
    text: str
    kind: str = "other"
    title: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A link between two entities; `kind` is path, predicted or other."""

    head: str
    tail: str
    text: str
    kind: str = "other"
    title: str = ""


def drawing(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> Markup:
    """The picture; nothing where there is no node. All text in it is escaped."""
    if not nodes:
        return Markup("")
    places = layout(nodes, arrows)
    joined = _joined(arrows)
    labelled = len(joined) <= MOST_LABELS
    parts = [_arrow(one, places, nodes, labelled or one.kind != "other") for one in joined]
    parts += [_node(node, places[node.key]) for node in nodes]
    tall = max(y for _, y in places.values()) + TALL
    return Markup(
        '<svg class="graph" viewBox="0 0 {w} {h}" role="img" aria-label="neighbourhood of the answers"><defs>'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"'
        ' markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>{parts}</svg>'
    ).format(w=int(WIDTH), h=int(tall), parts=Markup("").join(parts))


def layout(nodes: Sequence[Node], arrows: Sequence[Arrow]) -> dict[str, tuple[float, float]]:
    """Middle of each node's pill in pixels; pills do not overlap where there is room (Kamada & Kawai 1989)."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(node.key for node in nodes)
    graph.add_edges_from((arrow.head, arrow.tail) for arrow in arrows if arrow.head != arrow.tail)
    steps = dict(nx.all_pairs_shortest_path_length(graph, cutoff=int(FARTHEST)))
    keys = [node.key for node in nodes]
    apart = {a: {b: float(steps[a].get(b, FARTHEST + 1.0)) for b in keys} for a in keys}
    found = nx.kamada_kawai_layout(graph, dist=apart) if len(keys) > 1 else {keys[0]: np.zeros(2)}
    at = np.array([found[key] for key in keys], dtype=np.float64)
    sizes = np.array([_size(node) for node in nodes])
    tall = min(HEIGHT, 130.0 + 45.0 * len(nodes))
    low, wide = at.min(axis=0), np.maximum(np.ptp(at, axis=0), 1e-9)
    room = np.array([WIDTH, tall]) - sizes.max(axis=0) - 8.0
    at = (at - low) / wide * np.maximum(room, 1.0) + sizes.max(axis=0) / 2 + 4.0
    return dict(zip(keys, map(tuple, _apart(at, sizes, _gaps(keys, arrows)).tolist()), strict=True))


def _gaps(keys: Sequence[str], arrows: Sequence[Arrow]) -> np.ndarray:
    """Room (nodes, nodes, 2) between pills: beside one another, as much as what is said of the link between them."""
    place, gaps = {key: i for i, key in enumerate(keys)}, np.full((len(keys), len(keys), 2), GAP)
    for arrow in _joined(arrows):
        a, b = place[arrow.head], place[arrow.tail]
        wide = LINK_LETTER * len(_cut(arrow.text, LONGEST_LINK)) + PADDING
        gaps[[a, b], [b, a], 0] = np.maximum(gaps[a, b, 0], wide)
    return gaps


def _apart(at: np.ndarray, sizes: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Push overlapping pills apart, along the side on which less is needed, and keep them within the width."""
    for _ in range(ROUNDS):
        away = at[:, None] - at[None]
        lacking = (sizes[:, None] + sizes[None]) / 2 + gaps - np.abs(away)
        over = (lacking > 0).all(axis=2)
        np.fill_diagonal(over, False)
        if not over.any():
            break
        for a, b in zip(*np.nonzero(np.triu(over)), strict=True):
            side = int(lacking[a, b, 1] < lacking[a, b, 0] * 0.9)
            push = lacking[a, b, side] / 2 * (1.0 if away[a, b, side] >= 0 else -1.0)
            at[a, side] += push
            at[b, side] -= push
        half = sizes[:, 0] / 2
        at[:, 0] = at[:, 0].clip(half + 4.0, WIDTH - half - 4.0)
        at[:, 1] = np.maximum(at[:, 1], TALL / 2 + 4.0)
    return at


def _size(node: Node) -> tuple[float, float]:
    return LETTER * len(_cut(node.text, LONGEST)) + PADDING, TALL


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _joined(arrows: Sequence[Arrow]) -> list[Arrow]:
    """One arrow for all links from one entity to another, of the most telling kind."""
    ends: dict[tuple[str, str], list[Arrow]] = {}
    for arrow in arrows:
        if arrow.head != arrow.tail:
            ends.setdefault((arrow.head, arrow.tail), []).append(arrow)
    rank = {"path": 0, "predicted": 1}
    found = []
    for (head, tail), held in ends.items():
        texts = dict.fromkeys(one.text for one in sorted(held, key=lambda one: rank.get(one.kind, 2)))
        kind = min((one.kind for one in held), key=lambda kind: rank.get(kind, 2))
        titles = dict.fromkeys(one.title for one in held if one.title)
        found.append(Arrow(head, tail, ", ".join(texts), kind, "\n".join(titles)))
    return found


def _arrow(arrow: Arrow, places: Mapping[str, tuple[float, float]], nodes: Sequence[Node], labelled: bool) -> Markup:
    sizes = {node.key: _size(node) for node in nodes}
    a, b = np.array(places[arrow.head]), np.array(places[arrow.tail])
    start, end = _edge(a, b, sizes[arrow.head]), _edge(b, a, sizes[arrow.tail])
    middle = (start + end) / 2
    label = Markup("")
    if labelled:
        label = Markup('<text x="{x:.0f}" y="{y:.0f}">{text}</text>').format(
            x=middle[0], y=middle[1] + 4, text=_cut(arrow.text, LONGEST_LINK)
        )
    return Markup(
        '<g class="link {kind}"><title>{title}</title><line x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"'
        ' marker-end="url(#tip)"/>{label}</g>'
    ).format(
        kind=arrow.kind,
        title=arrow.title or arrow.text,
        x1=start[0],
        y1=start[1],
        x2=end[0],
        y2=end[1],
        label=label,
    )


def _edge(inside: np.ndarray, outside: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Where the line from the middle of a pill to a point leaves the pill."""
    way = outside - inside
    reach = np.array([size[0] / 2 + 3.0, size[1] / 2 + 3.0])
    with np.errstate(divide="ignore"):
        share = float(np.min(np.where(way != 0, reach / np.abs(way), np.inf)))
    return np.asarray(inside + way * min(share, 0.5))


def _node(node: Node, place: tuple[float, float]) -> Markup:
    wide, tall = _size(node)
    x, y = place
    drawn = Markup(
        '<g class="node {kind}"><title>{title}</title><rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" height="{h:.0f}"'
        ' rx="13"/><text x="{cx:.0f}" y="{cy:.0f}">{text}</text></g>'
    ).format(
        kind=node.kind,
        title=node.title or node.text,
        x=x - wide / 2,
        y=y - tall / 2,
        w=wide,
        h=tall,
        cx=x,
        cy=y + 4.5,
        text=_cut(node.text, LONGEST),
    )
    return Markup('<a href="{href}">{drawn}</a>').format(href=node.href, drawn=drawn) if node.href else escape(drawn)
