"""Write the figures of the README from benchmarks/results/*.json, between its markers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- figures: begin (written by benchmarks/readme.py) -->"
END = "<!-- figures: end -->"
WORDS = {True: "yes", False: "**no, not held**", None: "not judged"}


def figures(results: list[dict[str, Any]]) -> str:
    """Markdown of all results: claims of every benchmark, and where and when they were measured."""
    return "\n\n".join(_section(result) for result in results)


def _section(result: dict[str, Any]) -> str:
    lines = [f"### {result['benchmark'].replace('_', ' ').capitalize()}", "", *_claims(result["claims"])]
    seeds = ", ".join(map(str, result["seeds"]))
    dates = sorted(set(result.get("parts", {}).values()) or {result["date"]})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return "\n".join([*lines, "", f"{when}, {_machine(result['machine'])}; seeds {seeds}."])


def _claims(claims: list[dict[str, Any]]) -> list[str]:
    head = ["| claim | value | target | holds |", "|---|---|---|---|"]
    return head + [
        f"| {claim['claim']} | {claim['value']:.4g} | {_escape(claim['target'])} | {WORDS[claim['holds']]} |"
        for claim in claims
    ]


def _machine(machine: dict[str, Any]) -> str:
    gpu = machine.get("gpu") or "no GPU"
    versions = f"Python {machine['python']}, torch {machine['torch']}"
    return f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {gpu}, {versions}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def rewrite(page: str, text: str) -> str:
    """Put `text` between the markers of a page."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README lacks its markers: {BEGIN} … {END}")
    middle = f"\n\n{text}\n\n" if text else "\n"
    return f"{before}{BEGIN}{middle}{END}{after}"


def committed() -> list[dict[str, Any]]:
    """Read the results that the repository holds; quick ones, which prove nothing, are left out."""
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [result for result in results if not result["quick"]]


def main() -> None:
    """Rewrite the README in place."""
    page = ROOT / "README.md"
    text = rewrite(page.read_text(encoding="utf-8"), figures(committed()))
    beside = page.with_name(".README.md.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(page)


if __name__ == "__main__":
    main()
