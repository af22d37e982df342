"""Which films events are learned from: a table of them, a folder, a list, or those that the spans name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fusible.data.files import kind_of
from fusible.data.guess import PARTS
from fusible.data.kinds import by_path, full_path, resolve
from fusible.data.read import read
from fusible.errors import DataError, SchemaError
from fusible.types import Modality, Problem

FILES = ("file", "film", "video", "path", "filename", "clip")
"""Names by which the column of files is found where none is given."""


def frame_of(source: Any, numbers: Sequence[str] = ()) -> tuple[pd.DataFrame, Path | None]:
    """Cells of a table, the columns `numbers` as numbers, and the folder that its paths are relative to."""
    first = read(source)
    columns = {
        name: "number" if name in numbers else "text:ignore" for name in first.table.column_names if name != "split"
    }
    dataset = read(source, columns=columns)
    return dataset.to_pandas(), dataset.root


def films_of(
    films: Any, spans: pd.DataFrame, root: Path | None, given: Mapping[str, str | None]
) -> tuple[pd.DataFrame, Path | None]:
    """One row per film with `file`, and `sound`, `transcript` and `split` where known; and the folder of its paths.

    `spans` with the columns file and perhaps split, whose paths are relative to `root`, stand for the films where
    `films` is None, and give their parts where `films` gives none.
    """
    if films is None:
        once = spans.assign(file=_one_name(spans["file"], root))
        return _parts(once.drop_duplicates("file")[["file"]].reset_index(drop=True), once), root
    told: pd.DataFrame
    place: Path | None
    if isinstance(films, str | Path) and (found := folder_of_films(Path(films))) is not None:
        told, place = found, Path(films)
    elif isinstance(films, list | tuple):
        told, place = frame_of(pd.DataFrame({"file": [str(film) for film in films]}))
    else:
        told, place = _named(*frame_of(films), given)
    names = _one_name(told["file"], place)
    if names.duplicated().any():
        raise DataError(f"films: file {names[names.duplicated()].iloc[0]!r} stands in two rows; expected one per film")
    return told.assign(file=names), place


def _one_name(cells: pd.Series, folder: Path | None) -> pd.Series:
    """Each name as the first that leads to the same file: else one could be learned from and the other tested on."""
    first: dict[str, str] = {}
    return cells.map({name: first.setdefault(_whole(name, folder), name.strip()) for name in cells.unique().tolist()})


def _whole(name: str, folder: Path | None) -> str:
    """Where a name leads, links followed."""
    return os.path.realpath(full_path(resolve(name.strip(), folder)))


def _named(told: pd.DataFrame, place: Path | None, given: Mapping[str, str | None]) -> tuple[pd.DataFrame, Path | None]:
    """The same with its columns called file, sound and transcript."""
    name = next((n for n in (given.get("file"), *FILES) if n is not None and n in told), None)
    if name is None:
        raise SchemaError(
            f"films: no column of files, expected one called file; columns are {', '.join(map(str, told))}"
        )
    told = told.rename(columns={name: "file"})
    for key in ("sound", "transcript"):
        column = given.get(key)
        if column is not None and column not in told:
            raise SchemaError(f"films: no column {column!r} ({key}); columns are {', '.join(map(str, told))}")
        told = told.rename(columns={column: key}) if column is not None else told
    empty = [pd.isna(cell) or not str(cell).strip() for cell in told["file"]]
    if any(empty):
        raise DataError(f"films: row {empty.index(True)}, column {name!r}: expected a file, got an empty cell")
    return told, place


def folder_of_films(place: Path) -> pd.DataFrame | None:
    """Films of a folder (sounds, where it has none), their names relative to it; None for what is no such folder.

    Folders below are looked into where no film and no table lies in it directly. Folders called train, valid and test
    give the split, if all films lie in such.
    """
    if not place.is_dir():
        return None
    found = _media(entry.name for entry in os.scandir(place) if entry.is_file())
    if not found and not any(kind_of(path) for path in place.iterdir() if path.is_file()):
        found = _media(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    if not found:
        if any(kind_of(path) for path in place.iterdir() if path.is_file()):
            return None
        raise DataError(f"{place}: no film and no table in the folder; expected .mp4, .mkv, .mov, .webm or the like")
    told = pd.DataFrame({"file": found})
    parts = [PARTS.get(name.split("/")[0].lower()) if "/" in name else None for name in found]
    if all(parts):
        told["split"] = parts
    return told


def _media(names: Any) -> list[str]:
    """Names of films, or where there is none of sounds, in order; hidden ones are left out."""
    kinds: dict[Modality | None, list[str]] = {}
    for name in names:
        if not any(part.startswith(".") for part in name.split("/")):
            kinds.setdefault(by_path(name), []).append(name)
    return sorted(kinds.get(Modality.VIDEO) or kinds.get(Modality.AUDIO) or [])


def matched(cells: pd.Series, told: pd.DataFrame, root: Path | None, place: Path | None) -> pd.Series:
    """Cells of the spans' column of files, as the films are called.

    A cell means the film that is called alike, or the one at its place, relative to the folder of either table.
    """
    names = told["file"].tolist()
    places = {_whole(name, place): name for name in names}
    known = dict(zip(names, names, strict=True))
    for cell in cells.unique().tolist():
        if cell not in known:
            here = (places.get(_whole(cell, folder)) for folder in (root, place))
            name = next((name for name in here if name is not None), None)
            if name is None:
                raise DataError(f"spans: file {cell!r} is none of the {len(names)} films; expected the path of one")
            known[cell] = name
    return cells.map(known)


def _parts(told: pd.DataFrame, spans: pd.DataFrame) -> pd.DataFrame:
    """Films with the part of the split that their spans stand in, if these have any."""
    if "split" not in spans:
        return told
    parts = spans.groupby("file", sort=False)["split"].nunique(dropna=False)
    if (parts > 1).any():
        raise DataError(f"spans: file {parts.idxmax()!r} stands in several parts of the split; give it one part")
    return told.assign(split=told["file"].map(spans.drop_duplicates("file").set_index("file")["split"]))


def in_parts(told: pd.DataFrame, spans: pd.DataFrame, problems: list[Problem]) -> pd.DataFrame:
    """Films with their parts: as told, or as their spans say; those without a part are left out, and named.

    Raises `DataError` where both say something and contradict one another.
    """
    if "split" in told and "split" in spans:
        _agree(told, spans)
    told = told if "split" in told else _parts(told, spans)
    if "split" not in told:
        return told
    lacking = told["split"].isna()
    if lacking.any():
        first = told["file"][lacking].iloc[0]
        message = f"{lacking.sum()} films stand in no part of the split and are left out; the first is {first}"
        problems.append(
            Problem("no part", "split", message, tuple(told.index[lacking][:100].tolist()), int(lacking.sum()))
        )
    return told[~lacking].reset_index(drop=True)


def _agree(told: pd.DataFrame, spans: pd.DataFrame) -> None:
    """Refuse spans of another part of the split than their film."""
    own = dict(zip(told["file"], told["split"], strict=True))
    for file, part in spans[["file", "split"]].drop_duplicates().itertuples(index=False):
        if not pd.isna(part) and _plain(part) != _plain(own[file]):
            raise DataError(
                f"spans: file {file!r} is of the part {part!r}, in the table of films of {own[file]!r}; "
                "give it one part"
            )


def _plain(part: object) -> str:
    name = part.strip().lower() if isinstance(part, str) else ""
    return PARTS.get(name, name)
