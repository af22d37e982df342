"""What a Hugging Face folder may not do: lead out of itself, reach the hub, or nest without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from fusible.errors import ConfigError

ELSEWHERE = frozenset(
    {"backbone", "backbone_kwargs", "transformers_weights", "use_pretrained_backbone", "use_timm_backbone"}
)
"""Keys of configurations for which transformers reads, or fetches, what is not the folder's own; refused where set."""
NESTED = 32
"""Most levels of a configuration."""
_LOCK = RLock()


@contextmanager
def offline() -> Iterator[None]:
    """With the hub out of reach, whatever asks for it; one loader at a time, as the switch is the process's."""
    from huggingface_hub import constants

    with _LOCK:
        before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; `ConfigError` for anything else."""
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: expected JSON: {' '.join(str(error).split())}") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file}: expected a JSON object, got {type(loaded).__name__}")
    return loaded


def check_inside(folder: Path) -> None:
    """Refuse a folder of which something lies elsewhere, behind a link or by the path of a file of weights.

    Links of the hub's own cache, from `snapshots/…` to the `blobs` beside it, are its files.
    """
    held = {path.name for path in folder.iterdir()}
    roots = [folder.resolve()]
    if folder.resolve().parent.name == "snapshots":
        roots.append(folder.resolve().parent.parent / "blobs")
    for path in sorted([*folder.iterdir(), *(folder / "additional_chat_templates").glob("*")]):
        if path.is_symlink() and not any(path.resolve().is_relative_to(root) for root in roots):
            raise ConfigError(f"{path}: a link that leads out of the folder; copy what it points to")
    for path in sorted(folder.glob("*.safetensors.index.json")):
        files = read_json(path).get("weight_map")
        for file in files.values() if isinstance(files, dict) else [files]:
            if not isinstance(file, str) or file not in held:
                raise ConfigError(f"{path}: expected names of files of the folder, got {file!r}; save the model again")


def check_own(config: dict[str, Any], where: str) -> None:
    """Refuse a configuration that asks for code, for weights of others, or nests without end."""
    said = _keys(config, where)
    if "auto_map" in said:
        raise ConfigError(f"{where} asks for code of its own (auto_map), which is never run")
    if odd := sorted(said & ELSEWHERE):
        raise ConfigError(f"{where} asks for what is not its own ({odd[0]}); save the whole model")


def _keys(config: Any, where: str) -> set[str]:
    """Keys that are set to something, at any depth."""
    found: set[str] = set()
    level = [config]
    for _ in range(NESTED):
        found.update(key for one in level if isinstance(one, dict) for key, value in one.items() if value)
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
    if level:
        raise ConfigError(f"{where}: expected at most {NESTED} levels, got more; save the model again")
    return found
