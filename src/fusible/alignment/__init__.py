"""Aligners: scikit-learn estimators that bring several views into one space; one file each, named as registered.

`from fusible.alignment import Cca, CcaCV, Stream` imports a class where it is used.
"""

from __future__ import annotations

from typing import Any

_HELPERS = {"Stream": "_stream", "permutation_test": "_permutation"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    from fusible import registry

    modules = {registry.class_name(part): part for part in registry.names("alignment")}
    module = _HELPERS.get(name) or modules.get(name.removesuffix("CV"))
    if module is None or not hasattr(found := import_module(f"fusible.alignment.{module}"), name):
        raise AttributeError(f"module 'fusible.alignment' has no attribute {name!r}")
    return getattr(found, name)
