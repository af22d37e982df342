"""From a name to an encoder: a registered one, or `NAME:PATH`, as `hf:PATH` for a local Hugging Face folder."""

from __future__ import annotations

import inspect

from fusible import registry
from fusible.encoders._base import Encoder, Plain
from fusible.errors import ConfigError
from fusible.types import Modality

PREFIX = "hf:"


def resolve(name: str, modality: Modality | None = None, **settings: Plain) -> Encoder:
    """Build the encoder `name`; `NAME:PATH` where it takes a `path`.

    `hf:PATH` needs the `modality` of its view where the folder fits several.

    Raises `RegistryError` for an unknown name, `ConfigError` for an unknown setting or an unfit folder.

    >>> resolve("text_gru", width=32).output_width
    32
    """
    if ":" in name:
        name, _, path = name.partition(":")
        settings = {**settings, "path": path}
        if name == PREFIX.removesuffix(":") and modality is not None:
            settings["modality"] = modality.value
    part = registry.get("encoders", name)
    known = [parameter for parameter in inspect.signature(part.__init__).parameters if parameter != "self"]
    unknown = [setting for setting in settings if setting not in known]
    if unknown:
        raise ConfigError(f"encoder {name}: has no setting {unknown[0]!r}; expected one of {', '.join(known)}")
    encoder: Encoder = part(**settings)
    return encoder


def part_name(name: str) -> str:
    """The registered name within `NAME` or `NAME:PATH`.

    >>> part_name("image_vgg:weights.pth")
    'image_vgg'
    """
    return name.partition(":")[0]
