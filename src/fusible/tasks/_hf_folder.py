"""Reading Hugging Face folders, such as those that write of pictures: configuration, weights, preprocessing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fusible.decoders._generate import MOST_TOKENS, Generation
from fusible.encoders._hf import CODE_KEYS, processor_of, quiet
from fusible.encoders._hf_safe import check_inside, check_own, offline, read_json
from fusible.errors import ConfigError, FusibleError
from fusible.types import Modality

KINDS = {
    "vision-encoder-decoder": "VisionEncoderDecoderModel",
    "blip": "BlipForConditionalGeneration",
    "git": "GitForCausalLM",
}
"""What is read, by the `model_type` of its configuration: the class of transformers that writes of a picture alone."""
CONFIGURATIONS = ("config", "generation_config", "tokenizer_config", "preprocessor_config", "processor_config")
DROPPED = frozenset({*CODE_KEYS, "attn_implementation", "_attn_implementation", "_attn_implementation_internal"})
"""Keys of configurations that point at code, kernels or other places."""
KEPT = (
    "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id",
    "forced_eos_token_id", "no_repeat_ngram_size", "repetition_penalty", "bad_words_ids", "suppress_tokens",
    "begin_suppress_tokens", "early_stopping",
)  # fmt: skip
"""What a folder says of generation that `Generation` has no setting for; other keys may ask for code, and are left."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A model of transformers that can generate, its image processor, its tokenizer, and the folder's own settings."""

    network: Any
    processor: Any
    tokenizer: Any
    settings: Generation


def read_captioner(folder: Path) -> Parts:
    """Read a local folder: safetensors only, classes of transformers only, nothing fetched, nothing of it run.

    Raises `ConfigError`, one line, for what is no such folder, would need code of its own, or is damaged.
    """
    config = _checked(folder)
    with loading(folder):
        network = load_network(folder, config, _captioner_class())
        own = network.generation_config.to_dict()
        settle(network, {key: own[key] for key in KEPT if own.get(key) is not None})
        processor = processor_of(preprocessor(folder, "image_processor"), Modality.IMAGE)
        return Parts(network, processor, tokenizer_of(folder), _settings(folder, own, positions(network)))


def positions(network: Any) -> int:
    """Most tokens that the text decoder has positions for; a large number where it has no such limit."""
    text = network.config.get_text_config(decoder=True)
    return int(getattr(text, "max_position_embeddings", None) or 2**31)


def ends(network: Any) -> frozenset[int]:
    """Tokens that end a text."""
    if network.config.model_type == "blip":  # whose `generate` takes this one, whatever else is set
        return frozenset({network.config.text_config.sep_token_id})
    ids = network.generation_config.eos_token_id
    return frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids])


def _checked(folder: Path) -> dict[str, Any]:
    """Return the folder's configuration once the folder is known to hold what is needed, and no code."""
    config = checked(folder, KINDS, "that writes of pictures")
    if config.get("num_image_with_embedding"):
        raise ConfigError(f"{folder}: a model of several pictures (a video), expected one that writes of one picture")
    return config


def checked(folder: Path, kinds: Mapping[str, str], what: str) -> dict[str, Any]:
    """The configuration of a local folder of one of some kinds {model_type: its class}, with safetensors, without code.

    Raises `ConfigError`, one line, for anything else; `what` says what the model was to do.
    """
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{folder}: expected a local Hugging Face folder with config.json, found none")
    check_inside(folder)
    files = {name: folder / f"{name}.json" for name in CONFIGURATIONS}
    configs = {name: read_json(file) for name, file in files.items() if file.is_file()}
    for name, found in configs.items():
        check_own(found, f"{folder}: {name}.json")
    config = configs["config"]
    kind, classes = config.get("model_type"), config.get("architectures")
    expected = kinds.get(kind) if isinstance(kind, str) else None
    if expected is None or (classes and classes != [expected]):
        known = ", ".join(f"{kind} ({name})" for kind, name in kinds.items())
        raise ConfigError(f"{folder}: expected a model {what}, {known}; got {kind!r} ({classes})")
    if (folder / "adapter_config.json").exists():
        raise ConfigError(f"{folder}: holds an adapter, expected a whole model; merge it into its model and save that")
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"{folder}: has no .safetensors file; other formats can run code and are refused")
    return config


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """With transformers quiet and the hub out of reach; whatever fails within is a `ConfigError` of one line."""
    try:
        with quiet(), offline(), torch.random.fork_rng(devices=[]):
            yield
    except FusibleError:
        raise
    except Exception as error:  # noqa: BLE001  (damaged files make transformers raise anything)
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ConfigError(f"{folder}: the Hugging Face folder cannot be loaded ({said}); save it again") from None


def _clean(value: Any) -> Any:
    return {k: _clean(v) for k, v in value.items() if k not in DROPPED} if isinstance(value, dict) else value


def _captioner_class() -> Any:
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText


def load_network(folder: Path, config: Mapping[str, Any], build: Any) -> Any:
    """Build a model, by a class of transformers, with the folder's weights; what these lack is not made up: refused."""
    from transformers import CONFIG_MAPPING

    network, said = build.from_pretrained(
        folder,
        config=CONFIG_MAPPING[config["model_type"]].from_dict(_clean(config)),
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype=torch.float32,
        output_loading_info=True,
    )
    # A pooler is built along with many encoders, often without weights, and is not used here.
    if lacking := sorted(name for name in said["missing_keys"] if ".pooler." not in name):
        raise ConfigError(f"{folder}: the weights lack {len(lacking)} tensors, the first {lacking[0]!r}")
    for parameter in network.parameters():
        # Mapped files are aligned to 8 bytes, and kernels round otherwise on memory that is aligned to 64.
        parameter.data = parameter.data.clone()
    return network.eval().requires_grad_(False)


def settle(network: Any, kept: Mapping[str, Any]) -> None:
    """Leave the model, and the part of it that generates, with what is kept of the folder's generation alone."""
    from transformers import GenerationConfig

    build: Any = GenerationConfig
    for part in (network, getattr(network, "text_decoder", None)):
        if part is not None:
            part.generation_config = build(**kept)


def preprocessor(folder: Path, part: str) -> dict[str, Any]:
    """How pictures or sounds are prepared; of a file of its own, or the `part` of that of a processor of several."""
    found = None
    if (folder / "preprocessor_config.json").is_file():
        found = read_json(folder / "preprocessor_config.json")
    elif (folder / "processor_config.json").is_file():
        found = read_json(folder / "processor_config.json").get(part)
    if not isinstance(found, dict):
        raise ConfigError(f"{folder}: expected preprocessor_config.json, or processor_config.json; save the processor")
    if part != "image_processor":
        return found
    name = found.get("image_processor_type") or found.get("feature_extractor_type")
    # Folders of before 2023 have the older name of the same classes.
    return {**found, "image_processor_type": str(name).replace("FeatureExtractor", "ImageProcessor")}


def tokenizer_of(folder: Path) -> Any:
    """The folder's tokenizer; raises `ConfigError` where it has none that can be read."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001  (files of any tokenizer, damaged in any way)
        said = " ".join(str(error).split())[:200]
        raise ConfigError(f"{folder}: expected tokenizer.json, or files of another tokenizer: {said}") from None


def _settings(folder: Path, own: Mapping[str, Any], most: int) -> Generation:
    """How the folder generates; its lengths count the token that every text begins with."""
    given = {key: value for key, value in own.items() if value is not None}
    try:
        longest = int(given.get("max_new_tokens") or int(given.get("max_length", 0)) - 1)
        longest = min(longest if longest > 0 else Generation().longest, most, MOST_TOKENS)
        shortest = int(given.get("min_new_tokens") or max(0, int(given.get("min_length", 0)) - 1))
        return Generation(
            beams=int(given.get("num_beams", 1)),
            longest=longest,
            shortest=min(shortest, longest),
            length_penalty=float(given.get("length_penalty", 1.0)),
            sample=bool(given.get("do_sample", False)),
            top_p=float(given.get("top_p", Generation().top_p)),
            temperature=float(given.get("temperature", 1.0)),
        )
    except (ConfigError, ValueError, TypeError) as error:
        raise ConfigError(f"{folder}: generation_config.json: {error}") from None
