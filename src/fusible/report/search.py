"""Results of a search in the terminal and as one HTML page: thumbnails, players, and why each row was found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.data.kinds import by_bytes
from fusible.index.items import FUSED
from fusible.report import html
from fusible.report._players import data_uri, media_type, read_start
from fusible.report._saliency import saliency_blocks
from fusible.tasks._search_results import Hit, Results
from fusible.tasks._search_why import WORD
from fusible.tasks.indexing import Indexed
from fusible.types import Modality

PLAYED = 2 * 2**20
"""Bytes of a sound or video up to which it is embedded; larger ones are linked."""
ALL_PLAYED = 24 * 2**20
"""Bytes that a page embeds of all of them."""
MOST_COLUMNS = 12
LINES = 3
MOST_FAILURES = 20


def write_page(found: Results, path: str | os.PathLike[str]) -> Path:
    """Write the page, whole or not at all, and return its path; `ConfigError` where there is no such folder."""
    return html.write_page(lambda: render(found), Path(path))


def render(found: Results) -> str:
    """Give the page as text."""
    budget = [ALL_PLAYED]
    return html.render_template(
        "search.html.j2",
        {
            "found": found,
            "statement": statement(found),
            "parts": [_asked(part, budget) for part in found.query],
            "cards": [_card(place, hit, found, budget) for place, hit in enumerate(found.hits, 1)],
        },
    )


def statement(found: Results) -> str:
    """What was found, in a sentence."""
    count = len(found.hits)
    if not count:
        return "Nothing was found" + (" among the rows that the filter leaves." if found.where else ".")
    first = found.hits[0]
    best = "" if first.view is None else f"; the first matches by {_by(first.view)}"
    return f"{count} of {found.rows:,} rows{best}."


def _by(view: str) -> str:
    return "all its views together" if view == FUSED else repr(view)


def _shown(view: str) -> str:
    return "all views" if view == FUSED else view


def _asked(part: Mapping[str, Any], budget: list[int]) -> dict[str, Any]:
    """One part of the query: what was given, with a picture or a player."""
    data = part.get("media")
    content = _read(data) if isinstance(data, str) else data
    player = _player(content, data if isinstance(data, str) else None, part["modality"], None, budget)
    picture = html._picture(_whole(data)) if part["modality"] == Modality.IMAGE else None
    said = Path(part["said"]).name if isinstance(data, str) else part["said"]
    return {
        "view": part["view"],
        "modality": part["modality"],
        "said": said,
        "picture": picture,
        "player": player,
    }


def _card(place: int, hit: Hit, found: Results, budget: list[int]) -> dict[str, Any]:
    shaded = {one.view for one in hit.saliency}
    film = _film(hit, found)
    pictures, players, seen = [], [] if film is None else [("moment", film)], set()
    for view, modality in found.modalities.items() if film is None else ():
        preview = hit.previews.get(view)
        poster = html._picture(preview) if modality in {Modality.IMAGE, Modality.VIDEO} else None
        path = hit.media.get(view)
        if modality in {Modality.AUDIO, Modality.VIDEO} and (path is None or path not in seen):
            content = _read(path) if path is not None else preview
            player = _player(content if modality == Modality.VIDEO or path else preview, path, modality, poster, budget)
            if player:
                seen.add(path)
                players.append((view, player))
                continue
        if poster and not (view in shaded and modality == Modality.IMAGE):
            pictures.append((view, poster))
    shaded_texts = {"".join(one.pieces) for one in hit.saliency if one.kind == "words"}
    by_column = {one.column: hit.previews.get(one.view, b"") for one in hit.saliency}
    texts = {str(value) for value in hit.columns.values()} & {hit.text, *hit.text.split("\n")}
    fields = {
        n: _cell(v) for n, v in hit.columns.items() if v is not None and str(v) not in texts and not _is_path(v, hit)
    }
    return {
        "place": place,
        "hit": hit,
        "by": "" if hit.view is None else _shown(hit.view),
        "chances": [
            (_shown(view), chance, view == hit.view)
            for view, chance in sorted(hit.chances.items(), key=lambda c: -c[1])
        ],
        "pictures": pictures,
        "players": players,
        "text": marked(hit.text, hit.words) if hit.text not in shaded_texts else None,
        "blocks": saliency_blocks(hit.saliency, by_column),
        "fields": dict(list(fields.items())[:MOST_COLUMNS]),
    }


def _film(hit: Hit, found: Results) -> Markup | None:
    """A player of the film that a row is a moment of, which starts and ends with it; a link where none plays it."""
    if hit.moment is None:
        return None
    kind = media_type(read_start(hit.moment.file, 16) or b"")
    source = Path(hit.moment.file).as_uri() + hit.moment.fragment()
    if kind is None:
        return Markup('<p><a href="{}">{}</a></p>').format(source, Path(hit.moment.file).name)
    views = (view for view, modality in found.modalities.items() if modality == Modality.IMAGE)
    poster = next((html._picture(hit.previews[view]) for view in views if view in hit.previews), "")
    if kind.startswith("audio"):
        return Markup('<audio controls preload="none" src="{}"></audio>').format(source)
    if not poster:  # the browser shows the moment's first frame
        return Markup('<video controls preload="metadata" src="{}"></video>').format(source)
    return Markup('<video controls preload="none" poster="{}" src="{}"></video>').format(poster, source)


def _is_path(value: Any, hit: Hit) -> bool:
    """Whether a cell names a file that is shown: its parts are the last ones of that path."""
    if not isinstance(value, str) or not hit.media:
        return False
    parts = [part for part in Path(os.path.normpath(value)).parts if part != ".."]
    return bool(parts) and any(list(Path(path).parts[-len(parts) :]) == parts for path in hit.media.values())


def _cell(value: Any) -> Any:
    """A cell as it is shown: whole numbers of an untyped table, which are held as others, without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def marked(text: str, words: list[str]) -> Markup:
    """Text with words marked, all escaped.

    >>> marked("a <dog> runs", ["dog"])
    Markup('a &lt;<mark>dog</mark>&gt; runs')
    """
    chosen, parts, end = set(words), [], 0
    for match in WORD.finditer(text):
        parts.append(Markup.escape(text[end : match.start()]))
        word = match.group()
        parts.append(Markup("<mark>{}</mark>").format(word) if word in chosen else Markup.escape(word))
        end = match.end()
    return Markup("").join([*parts, Markup.escape(text[end:])])


def _whole(data: str | bytes | None) -> bytes | None:
    """Bytes of a picture that was asked with; None where the file went since."""
    try:
        return Path(data).read_bytes() if isinstance(data, str) else data
    except OSError:
        return None


def _read(path: str) -> bytes | None:
    """The start of a file, at most one byte more than is embedded."""
    return read_start(path, PLAYED + 1)


def _player(
    content: bytes | None, path: str | None, modality: str, poster: Markup | None, budget: list[int]
) -> Markup | None:
    """A player of what is a sound or a video by its first bytes; nothing for anything else, whatever its name says."""
    if modality not in {Modality.AUDIO, Modality.VIDEO} or not content or by_bytes(content[:16]) is None:
        return None
    kind = media_type(content)
    if kind is None:
        return None
    if len(content) <= min(PLAYED, budget[0]):
        budget[0] -= len(content)
        source = data_uri(content, kind)
    elif path is not None:
        source = Markup.escape(Path(path).absolute().as_uri())
    else:
        return None
    if modality == Modality.AUDIO:
        return Markup('<audio controls preload="none" src="{}"></audio>').format(source)
    return Markup('<video controls preload="none" poster="{}" src="{}"></video>').format(poster or "", source)


def print_results(found: Results, console: Console | None = None) -> None:
    """Print one line per hit: chance, id, the view that matched, the row's text or columns."""
    console = console or Console()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", justify="right", style="dim")
    table.add_column("chance", justify="right")
    table.add_column("row", overflow="fold")
    table.add_column("matched by")
    table.add_column("what", overflow="fold", ratio=1)
    for place, hit in enumerate(found.hits, 1):
        chance = "–" if hit.chance is None else f"{hit.chance:.1%}"
        more = f" +{len(hit.alike)} alike" if hit.alike else ""
        view = "words" if hit.view is None else _shown(hit.view)
        table.add_row(str(place), chance, Text(hit.id + more), Text(view), _what(hit))
    console.print(table)
    console.print(Text(statement(found), style="bold"))
    for note in found.notes:
        console.print(Text(note, style="dim"))


def _what(hit: Hit) -> Text:
    said = hit.text or ", ".join(
        f"{name} {_cell(value)}" for name, value in hit.columns.items() if value not in (None, hit.id)
    )
    lines = Text(said[:400], overflow="ellipsis")
    for match in WORD.finditer(said[:400]):
        if match.group() in hit.words:
            lines.stylize("bold", *match.span())
    return lines


def print_indexed(found: Indexed, console: Console | None = None) -> None:
    """Print what indexing did, how each view is searched and why, and the first cells that could not be read."""
    console = console or Console()
    done = ", ".join(
        f"{count:,} {what}"
        for what, count in (
            ("added", found.added),
            ("changed", found.changed),
            ("as they were", found.unchanged),
            ("deleted", found.deleted),
        )
        if count
    )
    console.print(Text(f"{found.rows:,} rows: {done or 'nothing to do'}, in {found.seconds:.1f} s", style="bold"))
    for view, how in found.index.get("views", {}).items():
        console.print(Text(f"{view}: {how['rows']:,} vectors of {how['width']}, {how['search']} search, {how['why']}"))
    for note in found.notes:
        console.print(Text(note, style="dim"))
    for one in found.failures[:MOST_FAILURES]:
        console.print(Text(f"not read: {one['message']} (id {one['id']!r}, view {one['view']!r})", style="yellow"))
    if len(found.failures) > MOST_FAILURES:
        console.print(Text(f"and {len(found.failures) - MOST_FAILURES:,} more; --json lists all", style="yellow"))
