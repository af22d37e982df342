"""Names as IRIs and back: percent-encoded under a namespace; what is an IRI already stays as it is."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from fusible.errors import ConfigError

NAMESPACE = "urn:fusible:"
"""Where names are put that are no IRIs."""
_ABSOLUTE = re.compile(r"(?:https?|ftp)://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*")


def to_iri(name: str, namespace: str = NAMESPACE) -> str:
    """The IRI of a name; `from_iri` gives the name back, whatever it is.

    >>> to_iri("New York"), to_iri("http://www.w3.org/2002/07/owl#sameAs")
    ('urn:fusible:New%20York', 'http://www.w3.org/2002/07/owl#sameAs')
    """
    whole = _ABSOLUTE.fullmatch(name) and not name.startswith(namespace) and _escaped(name)
    return name if whole else namespace + quote(name, safe="")


def from_iri(iri: str, namespace: str = NAMESPACE) -> str:
    """The name of an IRI: decoded where it is one of the namespace, else the IRI.

    >>> from_iri("urn:fusible:New%20York"), from_iri("http://example.org/a%20b")
    ('New York', 'http://example.org/a%20b')
    """
    if not iri.startswith(namespace):
        return iri
    rest = iri[len(namespace) :]
    name = unquote(rest, errors="replace")
    return name if name and to_iri(name, namespace) == iri else _readable(rest, iri, namespace)


def check_namespace(namespace: str) -> str:
    """Refuse what no IRI can begin with; the namespace itself otherwise."""
    if not _SCHEME.fullmatch(namespace) or namespace[-1] not in "/#:" or not _escaped(namespace):
        raise ConfigError(f"namespace {namespace!r}: expected the beginning of an IRI, such as https://example.org/id/")
    return namespace


def _escaped(text: str) -> bool:
    """Whether every percent sign begins an escape."""
    return all(re.fullmatch("[0-9A-Fa-f]{2}", text[at + 1 : at + 3]) for at in _percents(text))


def _percents(text: str) -> list[int]:
    return [place for place, sign in enumerate(text) if sign == "%"]


def _readable(rest: str, iri: str, namespace: str) -> str:
    """Names of others' IRIs, which leave more signs as they are ("Jürgen", "a,b"): decoded only where that is sure."""
    plain = bool(rest) and "%" not in rest and to_iri(rest, namespace) != rest
    return rest if plain else iri
