"""Filters: an SQL condition on the user's own columns, and nothing else.

A filter may come from a stranger. LanceDB evaluates expressions only (no statements, tables or subqueries), but ignores
what follows one, crashes on chains of some thousand operators, and knows functions that take memory at will. So a
filter is looked at first: balanced, of bounded size, marks and functions from a list, own columns only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fusible.errors import ConfigError

LONGEST = 200_000
DEEPEST = 20
OPERATORS = 200
"""Most operators of a filter; the items of a list are free."""
_FUNCTIONS = (
    "abs array_contains array_has cast ceil char_length coalesce contains date_part date_trunc ends_with floor length "
    "lower nullif power regexp_like round sqrt starts_with strpos substr to_date to_timestamp trim upper"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
_BEFORE_LIST = frozenset({"in", "and", "or", "not", "between", "then", "else", "when", "case", "like", "ilike", "is"})
_TYPES = frozenset({"decimal", "varchar", "char", "timestamp"})
_TOKEN = re.compile(
    r"\s+|(?P<text>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")*\"|`[^`]*`)|(?P<word>[^\W\d]\w*)"
    r"|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<mark>--|/\*|::|\|\||.)",
    re.DOTALL,
)
_MARKS = frozenset({*"()[],.+-*/%=<>!", "::", "||"})
"""What may stand between words: placeholders such as `?`, `$1` and `:a` make the engine panic."""
_LOGIC = frozenset({"and", "or", "not", "like", "ilike", "between", "is", "case", "when", "div", "mod", "xor"})


def checked(where: str, columns: Iterable[str]) -> str:
    """Return the filter in parentheses; raises `ConfigError` for what is no plain condition.

    >>> checked("price < 20 and kind in ('a', 'b')", ["price", "kind"])
    "(price < 20 and kind in ('a', 'b'))"
    """
    if not isinstance(where, str) or not where.strip():
        raise ConfigError('filter: expected an SQL condition such as "price < 20", got an empty one')
    if len(where) > LONGEST:
        raise ConfigError(f"filter: {len(where)} characters, expected at most {LONGEST}")
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(where)]
    tokens = [(kind, text) for kind, text in tokens if kind]
    _marks(tokens)
    _words(tokens, list(columns))
    return f"({where})"


def unknown(name: str, columns: Iterable[str]) -> ConfigError:
    """Error for a column that the index does not have."""
    return ConfigError(f"filter: no column {name!r} in this index, expected one of {sorted(columns)}")


def panicked(error: BaseException) -> bool:
    """Whether the engine, which is written in Rust, broke off; its classes cannot be imported by name."""
    return type(error).__name__ in {"RustPanic", "PanicException"}


def said(error: BaseException, columns: Iterable[str]) -> ConfigError:
    """One line from what LanceDB said about a filter."""
    text = " ".join(str(error).split())
    if panicked(error):
        return ConfigError("filter: LanceDB cannot read this condition; write it with plain comparisons, and, or, not")
    missing = re.search(r"No field named (.+?)\. ", text + " ")
    if missing:
        return unknown(missing.group(1).strip('"`'), columns)
    unlike = re.search(r"literal (\w+)\((.*)\) and could not convert to literal of type '(\w+)(?:\((\w+)\))?", text)
    if unlike:
        literal, way = f"{unlike[1]}({unlike[2]})", _way(unlike[2], unlike[3], (unlike[4] or "").lower())
        return ConfigError(f"filter: could not convert {literal[:80]} to {unlike[3]}, the kind of the column; {way}")
    if "does not return a boolean" in text or "IS DISTINCT FROM Boolean" in text:
        way = "compare it with something; true and false of a CSV are text: write COLUMN = 'True'"
        return ConfigError(f"filter: expected a condition, got a column or value that is not true or false; {way}")
    inner = re.search(r"\((?:sql parser error: )?(Expected.*|.*ParserError.*)\)\s*$", text)
    reason = inner.group(1) if inner else re.sub(r"^(Invalid input, |lance error: )+|, /\S+:\d+:\d+.*$", "", text)
    return ConfigError(f'filter: expected an SQL condition such as "price < 20"; {reason[:200]}')


def _way(literal: str, kind: str, unit: str) -> str:
    """How to compare a column of a kind with what was written."""
    if kind.startswith(("Date", "Timestamp")):
        day = re.search(r"\d{4}-\d\d-\d\d[\d :.T]*", literal)
        return f"write {kind.lower().rstrip('0123456789')} '{day[0] if day else '2020-01-31'}'"
    if kind.startswith("Time"):
        return "compare a part of it: date_part('hour', COLUMN) >= 8"
    if kind == "Duration":
        return f"compare its {unit}s: cast(COLUMN as bigint) > 60"
    if kind == "Boolean":
        return "write COLUMN or not COLUMN"
    if "Utf8" in kind:
        text = {"true": "True", "false": "False"}.get(literal, literal.strip("\"'"))
        return f"it holds text: write '{text[:40]}' in quotes"
    return "write a number without quotes"


def _marks(tokens: list[tuple[str, str]]) -> None:
    depth = operators = 0
    for place, (kind, text) in enumerate(tokens):
        if kind == "mark" and text not in _MARKS:
            raise ConfigError(
                f"filter: expected one SQL condition, got {text!r}: no comments, statements, placeholders, open quotes"
            )
        if kind == "mark":
            operators += text not in "(),." and not _is_sign(tokens, place)
        operators += kind == "word" and text.lower() in _LOGIC
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text, 0) if kind == "mark" else 0
        if depth < 0:
            raise ConfigError("filter: syntax error, a parenthesis closes that was never opened")
        if depth > DEEPEST or operators > OPERATORS:
            raise ConfigError(f"filter: expected at most {OPERATORS} operators and {DEEPEST} nested parentheses")
    if depth:
        raise ConfigError("filter: syntax error, a parenthesis is not closed")


def _is_sign(tokens: list[tuple[str, str]], place: int) -> bool:
    """Whether a mark is the sign of a number that is an item of a list: such a number is one value."""
    around = [tokens[at] if 0 <= at < len(tokens) else ("", "") for at in (place - 1, place + 1)]
    return tokens[place][1] in "+-" and around[0] in {("mark", "("), ("mark", ",")} and around[1][0] == "number"


def _words(tokens: list[tuple[str, str]], columns: list[str]) -> None:
    own = {name.lower() for name in columns}
    for (kind, text), after in zip(tokens, [*tokens[1:], ("", "")], strict=True):
        name = text[1:-1] if kind == "quoted" else text.lower()
        if kind in {"word", "quoted"} and name.lower().startswith(("fusible_", "_row")) and name.lower() not in own:
            raise unknown(name, columns)
        called = after == ("mark", "(") and kind in {"word", "quoted", "text"}
        if called and (kind != "word" or name not in FUNCTIONS | _BEFORE_LIST | _TYPES):
            raise ConfigError(
                f"filter: no function {text[:40].lower()}, expected one of {', '.join(sorted(FUNCTIONS))}"
            )
