"""Reading local Hugging Face folders: configuration, weights (safetensors only) and preprocessing, never code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fusible.encoders._hf_safe import check_inside, check_own, offline, read_json
from fusible.errors import ConfigError, ModelFormatError
from fusible.types import Modality

CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code", "_name_or_path")
"""Keys of configurations that point at code or at other places; dropped."""


def read_folder(path: str, modality: Modality) -> tuple[dict[str, Any], torch.nn.Module]:
    """What `Hf` keeps of a folder (JSON values: config, tokenizer or preprocessor, pooling), and the model.

    Raises `ConfigError` where the folder lacks what the modality needs, or would need code of its own.
    """
    folder = Path(path)
    if not (folder / "config.json").is_file():
        raise ConfigError(f"hf: {path!r} is no local Hugging Face folder: expected a folder with config.json")
    check_inside(folder)
    learned: dict[str, Any] = {"config": _json(folder / "config.json"), "pooling": _pooling(folder)}
    if modality is Modality.TEXT:
        if not (folder / "tokenizer.json").is_file():
            raise ConfigError(f"hf: {path!r} has no tokenizer.json; save it with a fast tokenizer")
        learned["tokenizer"] = (folder / "tokenizer.json").read_text(encoding="utf-8")
    else:
        if not (folder / "preprocessor_config.json").is_file():
            raise ConfigError(f"hf: {path!r} has no preprocessor_config.json, which {modality.value} needs")
        learned["preprocessor"] = _json(folder / "preprocessor_config.json")
    return learned, _pretrained(folder)


def empty_model(config: Mapping[str, Any]) -> torch.nn.Module:
    """Build the architecture of a configuration with weights still to be loaded; only those of transformers' own."""
    from transformers import AutoConfig, AutoModel

    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise ModelFormatError("hf: the saved configuration has no model_type; save the model again")
    try:
        check_own(dict(config), "hf: the saved configuration")
        plain = AutoConfig.for_model(**config)
        with offline(), torch.random.fork_rng(devices=[]):
            build: Any = AutoModel.from_config
            model: torch.nn.Module = build(plain, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFormatError(f"hf: model_type {kind!r} cannot be built: {_line(error)}") from None
    return model


def processor_of(preprocessor: Mapping[str, Any], modality: Modality) -> Any:
    """Image processor or feature extractor of transformers, by the class name in its own configuration."""
    from transformers.models.auto.feature_extraction_auto import feature_extractor_class_from_name
    from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

    image = modality is Modality.IMAGE
    key = "image_processor_type" if image else "feature_extractor_type"
    name = preprocessor.get(key)
    lookup = get_image_processor_class_from_name if image else feature_extractor_class_from_name
    with quiet():
        # Names of the Fast kind need torchvision; their plain namesakes compute the same with Pillow.
        part = lookup(name.removesuffix("Fast")) if isinstance(name, str) else None
        if part is None:
            raise ModelFormatError(f"hf: {key} {name!r} is no class of transformers; expected one of its own")
        return part.from_dict({k: v for k, v in preprocessor.items() if k != key})


class quiet:  # noqa: N801  (reads as a word in `with quiet()`)
    """Without transformers' warnings and progress bars."""

    def __enter__(self) -> None:
        from transformers import utils

        logging: Any = utils.logging
        self._level, self._bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers import utils

        logging: Any = utils.logging
        logging.set_verbosity(self._level)
        if self._bars:
            logging.enable_progress_bar()


def _pretrained(folder: Path) -> torch.nn.Module:
    from transformers import AutoModel

    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"hf: {str(folder)!r} has no .safetensors file; other formats can run code and are refused")
    try:
        with quiet(), offline(), torch.random.fork_rng(devices=[]):
            model: torch.nn.Module = AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
    except (ValueError, OSError, KeyError) as error:
        raise ConfigError(f"hf: {str(folder)!r} cannot be loaded: {_line(error)}") from None
    for parameter in model.parameters():
        # Mapped files are aligned to 8 bytes, and kernels round otherwise on memory that is aligned to 64.
        parameter.data = parameter.data.clone()
    return model


def _pooling(folder: Path) -> str:
    """`cls` where a sentence-transformers folder says so, else `mean`."""
    file = folder / "1_Pooling" / "config.json"
    return "cls" if file.is_file() and _json(file).get("pooling_mode_cls_token") else "mean"


def _json(file: Path) -> dict[str, Any]:
    """A configuration that asks for nothing but its own, without the keys that point at code."""
    loaded = {key: value for key, value in read_json(file).items() if key not in CODE_KEYS}
    check_own(loaded, f"hf: {file}")
    return loaded


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
