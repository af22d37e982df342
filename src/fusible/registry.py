"""Parts by name: a family's files are its members, imported on request.

`names("encoders")` lists files of `fusible/encoders` (those that start with an underscore are helpers) and entry
points of other packages in the group `fusible.encoders`. The registered name is the file's name; the class in it has
the same name in CamelCase: `text_minilm.py` holds `TextMinilm`.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from fusible.errors import RegistryError

FAMILIES = ("encoders", "alignment", "fusion", "ensembles", "networks", "decoders", "scorers", "propagation")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


@cache
def _own(family: str) -> tuple[str, ...]:
    if family not in FAMILIES:
        raise RegistryError(f"family {family!r} is unknown: expected one of {', '.join(FAMILIES)}")
    folder = Path(__file__).parent / family
    return tuple(sorted(f.stem for f in folder.glob("*.py") if not f.stem.startswith("_")))


@cache
def _foreign(family: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"fusible.{family}"):
        if point.name in _own(family) or point.name in found:
            raise RegistryError(f"two parts of {family} are called {point.name!r}: {point.value} clashes; rename it")
        found[point.name] = point
    return found


def names(family: str) -> tuple[str, ...]:
    """Registered names of a family, sorted.

    >>> "concat" in names("fusion")
    True
    """
    return tuple(sorted((*_own(family), *_foreign(family))))


def class_name(name: str) -> str:
    """CamelCase of a registered name: the class that its file holds.

    >>> class_name("text_minilm")
    'TextMinilm'
    """
    return "".join(word.capitalize() for word in name.split("_"))


def get(family: str, name: str) -> type[Any]:
    """Return the class registered as `name`; raises `RegistryError` with near names where there is none."""
    if NAME.match(name) and name in _own(family):
        module = import_module(f"fusible.{family}.{name}")
        part: type[Any] = getattr(module, class_name(name))
        return part
    if name in _foreign(family):
        loaded: type[Any] = _foreign(family)[name].load()
        return loaded
    near = get_close_matches(name, names(family), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(names(family))}"
    raise RegistryError(f"no part of {family} is called {name!r}: {hint}")


def build(family: str, name: str, **settings: Any) -> Any:
    """Construct the part `name` with `settings`."""
    return get(family, name)(**settings)
