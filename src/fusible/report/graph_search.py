"""Answers from a graph in the terminal and as one HTML page: what supports each, and a picture of the neighbourhood."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markupsafe import Markup
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusible.report import html
from fusible.report._neighbourhood import Arrow, Node, drawing
from fusible.tasks.knowledge.search.results import Answer, Found, Step

MOST_NODES = 40
SAID = 0.05
"""Least score of a member that is told."""
TITLES = {
    "facts": "graph says so",
    "beyond": "one link further",
    "walk": "near in graph",
    "alike": "so of its like",
    "usual": "usual answer",
    "text": "words",
    "vectors": "meaning",
    "types": "type",
    "rules": "mined rules",
    "model": "link model",
}
"""Members in words."""


def write_page(found: Found, path: str | os.PathLike[str]) -> Path:
    """Write the page, whole or not at all, and return its path; `ConfigError` where there is no such folder."""
    return html.write_page(lambda: render(found), Path(path))


def render(found: Found) -> str:
    """Give the page as text."""
    return html.render_template(
        "graph_search.html.j2",
        {
            "found": found,
            "statement": statement(found),
            "picture": picture(found),
            "cards": [_card(place, answer, found) for place, answer in enumerate(found.answers, 1)],
            "linked": [(link, found.names[link.meant]) for link in found.linked],
        },
    )


def statement(found: Found) -> str:
    """What was found, in a sentence."""
    if not found.answers:
        return "Nothing was found."
    first = found.answers[0]
    how = ""
    if first.members.get("facts", 0.0) >= SAID:
        how = ", as the graph says"
    elif any(first.predicted):
        how = ", as the link model predicts; the graph does not say so"
    return f"First of {len(found)}: {first.name}{how}."


def picture(found: Found) -> Markup:
    """Answers, what the question names, and what lies between and around them."""
    nodes = {link.meant: Node(link.meant, found.names[link.meant], "linked") for link in _first(found)}
    for place, answer in enumerate(found.answers, 1):
        title = "\n".join(part for part in (answer.name, ", ".join(answer.types), answer.about) if part)
        nodes[answer.entity] = Node(answer.entity, f"{place} · {answer.name}", "answer", title, f"#answer-{place}")
    arrows = []
    for kind, step in _steps(found):
        new = [end for end in (step.head, step.tail) if end not in nodes]
        if len(nodes) + len(new) <= MOST_NODES:
            nodes |= {end: Node(end, found.names[end]) for end in new}
            arrows.append(Arrow(step.head, step.tail, step.relation, kind, _title(step, found)))
    return drawing(list(nodes.values()), arrows)


def _first(found: Found) -> Iterator[Any]:
    """The likeliest entity of each span."""
    said = set()
    for link in found.linked:
        if link.text not in said:
            said.add(link.text)
            yield link


def _steps(found: Found) -> Iterator[tuple[str, Step]]:
    """All triples of a result, paths first, none twice."""
    told = [("path", step) for answer in found.answers for path in answer.paths for step in path]
    told += [("predicted", step) for answer in found.answers for step in answer.predicted]
    told += [("other", step) for step in found.around]
    seen = set()
    for kind, step in told:
        key = (step.head, step.relation, step.tail)
        if key not in seen:
            seen.add(key)
            yield kind, step


def _title(step: Step, found: Found) -> str:
    said = f"{found.names[step.head]} — {step.relation} → {found.names[step.tail]}"
    return "\n".join([said, *(f"“{one.text}” ({one.document})" for one in step.sentences)])


def _card(place: int, answer: Answer, found: Found) -> dict[str, Any]:
    best = max(answer.members.values(), default=0.0)
    members = [(TITLES[name], value, value == best) for name, value in answer.members.items() if value >= SAID]
    return {
        "place": place,
        "answer": answer,
        "members": sorted(members, key=lambda one: -one[1]),
        "paths": [[_shown(step, found) for step in path] for path in answer.paths],
        "predicted": [_shown(step, found) for step in answer.predicted],
    }


def _shown(step: Step, found: Found) -> dict[str, Any]:
    return {"head": found.names[step.head], "tail": found.names[step.tail], "step": step}


def print_found(found: Found, console: Console | None = None) -> None:
    """Print what the question was linked to, and a line per answer with its scores and what supports it."""
    console = console or Console()
    named = [f"{link.text!r} is {found.names[link.meant]} ({link.how} {link.chance:.2f})" for link in found.linked]
    asked = [f"{link.meant} {link.chance:.2f}" for link in found.relations]
    console.print(Text("names: " + ("; ".join(named) or "nothing in the graph"), style="dim"))
    if asked:
        console.print(Text("relations: " + ", ".join(asked), style="dim"))
    if found.answers:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("", justify="right", style="dim")
        table.add_column("answer", overflow="fold", min_width=12)
        table.add_column("score", justify="right")
        table.add_column("by", overflow="fold", min_width=18)
        table.add_column("because", overflow="fold", ratio=1)
        for place, answer in enumerate(found.answers, 1):
            by = [f"{name} {v:.1f}".replace("0.", ".") for name, v in answer.members.items() if v >= SAID]
            table.add_row(
                str(place), Text(answer.name), f"{answer.score:.2f}", Text(", ".join(by)), _because(answer, found)
            )
        console.print(table)
    console.print(Text(statement(found), style="bold"))
    for note in found.notes:
        console.print(Text(note, style="dim"))


def _because(answer: Answer, found: Found) -> Text:
    """Paths, else predicted links, else a sentence or what is told of the answer."""

    def said(steps: tuple[Step, ...]) -> str:
        return "; ".join(f"{found.names[s.head]} – {s.relation} → {found.names[s.tail]}" for s in steps)

    lines = [said(path) for path in answer.paths]
    lines += [f"predicted {step.confidence:.0%}: {said((step,))}" for step in answer.predicted]
    quoted = [one for path in answer.paths for step in path for one in step.sentences[:1]] or answer.sentences[:1]
    lines += [f"“{one.text}” ({one.document})" for one in list(dict.fromkeys(quoted))[:2]]
    return Text("\n".join(lines) or (", ".join(answer.types) or answer.about)[:200])
