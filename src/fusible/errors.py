"""Errors of Fusible.

Every message is one line: what went wrong, where, what was expected, what was found, and what to do.
The command line prints it and exits with code 2.
"""

from __future__ import annotations


class FusibleError(Exception):
    """Base of every error that Fusible raises on purpose."""


class FusibleWarning(UserWarning):
    """Something that Fusible could repair by itself, or that the reader of a result should know."""


class DataError(FusibleError):
    """A table, file or cell that cannot be read or used."""


class SchemaError(FusibleError):
    """A column, view or modality that does not exist or contradicts the table."""


class TargetError(FusibleError):
    """A target that is unknown, empty, constant or of the wrong kind for the task."""


class SplitError(FusibleError):
    """A split without the rows that it needs."""


class ConfigError(FusibleError):
    """A setting that is unknown or out of its range."""


class TooLargeError(ConfigError):
    """Something that would need more memory than its limit; refused before any is taken."""


class ArrayError(FusibleError, ValueError):
    """An array that cannot be used; also a `ValueError`, as scikit-learn's users expect."""


class ArrayTypeError(FusibleError, TypeError):
    """An array of things that are no numbers; also a `TypeError`, as scikit-learn's users expect."""


class RegistryError(FusibleError):
    """A name that no registered part has, or that two parts claim."""


class ModelFormatError(FusibleError):
    """A model folder that is damaged, unsafe or newer than this version."""


class MissingExtraError(FusibleError, ImportError):
    """An optional package that is not installed; the message names the extra."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> MissingExtraError:
        """Build the error for `package`, needed for `purpose` and installed by `extra`."""
        return cls(f"{purpose} needs the package {package!r}, which is not installed: pip install 'fusible[{extra}]'")
