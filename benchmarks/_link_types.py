"""What CoDEx says of its entities: their types, as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def typed(folder: Path) -> Any:
    """A row per entity: `entity`, and `types`: labels and descriptions of its types, for it has none."""
    import pandas as pd

    held, told = (json.loads((folder / name).read_text("utf-8")) for name in ("entity_types.json", "types_en.json"))
    rows = {entity: " ".join(_said(told.get(one, {})) for one in types) for entity, types in held.items()}
    return pd.DataFrame({"entity": list(rows), "types": list(rows.values())})


def _said(one: dict[str, str]) -> str:
    return f"{one.get('label') or ''}: {one.get('description') or ''}."
