"""Events in films: trained on labelled spans, found on fused sequences of sound, picture and words."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fusible import registry
from fusible.errors import ConfigError, DataError
from fusible.evaluation.cost import Stages
from fusible.evaluation.localisation import Matches, difference
from fusible.evaluation.study import Difference
from fusible.evaluation.verdict import NO_EVIDENCE, statement, verdict
from fusible.tasks.results import versions
from fusible.tasks.source import Progress, stage
from fusible.tasks.video._events_batches import Example
from fusible.tasks.video._events_camera import one_scene
from fusible.tasks.video._events_choice import FLOOR, Weigher, least_confidence
from fusible.tasks.video._events_material import Material, material, rate_for
from fusible.tasks.video._events_members import RULES, Average, Finder, Member, find, members_of
from fusible.tasks.video._events_score import Judge, pieces
from fusible.tasks.video._events_table import labelled
from fusible.tasks.video._events_tracks import VIEWS, Cue
from fusible.tasks.video._events_train import Clock, Design, train_member
from fusible.tasks.video.events_model import EventModel
from fusible.tasks.video.events_result import EventRow, Events
from fusible.types import Problem

METRIC = "map@0.5"
SINGLE, FUSED, MODEL = "single", "fused", "model"
PICTURES = ("auto", "motion", "image_efficientnet")


def fit_events(
    spans: Any,
    films: Any = None,
    *,
    columns: Mapping[str, str | None] | None = None,
    cues: Mapping[str, Sequence[Cue]] | None = None,
    views: Sequence[str] | None = None,
    picture: str = "auto",
    operators: Sequence[str] = ("concat",),
    rate: float | None = None,
    design: Design | None = None,
    piece: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    command: str = "",
) -> Events:
    """Learn to find events in films from labelled spans, on sound, picture and words fused step by step.

    Every view is learned alone, and all of them fused by each operator; averages of these candidates' scores are
    candidates, too. Which one the model keeps is chosen on validation films; test films are scored once.

    Parameters
    ----------
    spans : path, pandas.DataFrame or pyarrow.Table
        One labelled span a row: file, start and end in seconds from the film's first frame, and label. Columns are
        found by usual names (file, start, end, label), or named in `columns`.
    films : path, pandas.DataFrame or sequence of paths, optional
        One film a row, also those without events; `columns` may name its `sound` (files of sound, where it is not the
        film's own) and `transcript` (SRT, VTT or word tables). Default: the files of `spans`.
    columns : mapping, optional
        Names of the columns `file`, `start`, `end`, `label`, `sound` and `transcript`, where they are others.
    cues : mapping, optional
        `{file: [(start, end, text), …]}`: transcripts that are read already.
    views : sequence of str, optional
        Which of `sound`, `video` and `text` to use; default: all that a training film has.
    picture : str
        `motion` for films of one scene by a fixed camera, `image_efficientnet` for others; `auto` looks at them.
    operators : sequence of str
        Fusion operators to try.
    rate : float, optional
        Steps a second of the common clock; default by the usual length of a span (`rate_for`).
    design : Design, optional
        How localisers are built and trained.
    piece : float, optional
        Seconds of the pieces into which test films are cut for the bootstrap; default: whole films, or where they are
        fewer than twenty, equal pieces that are about twenty.
    seed, device, progress, command
        As in `fusible.compare`.

    Returns
    -------
    Events
        Scores with intervals, the verdict on fusion, and the fitted `EventModel`.

    Raises
    ------
    FusibleError
        One line: a table, row, file, split or setting that cannot be used.
    """
    start, stages = time.perf_counter(), Stages()
    _checked(views, picture, operators, rate, piece)
    with stages("read"):
        told = labelled(spans, films, columns=columns, cues=cues, seed=seed)
        kinds = _kinds(told.films, told.split.train, views, picture, told.problems)
        found = material(told, kinds, rate, progress)
    clock, design = found.clock, design or Design()
    design = replace(design, length=found.window(design.length))
    judges = {part: _judge(found, part, piece) for part in ("valid", "test")}
    with stages("train"):
        finders, weigher, seconds = _finders(found, clock, design, operators, judges["valid"], seed, device, progress)
    with stages("score"):
        rows, matches = _scored(found, finders, weigher, judges["test"], seconds, seed)
    chosen = max(rows, key=lambda row: row.valid)
    told_from = least_confidence(
        weigher.judge, [find(finders[chosen.name], film, floor=FLOOR) for film in weigher.films]
    )
    single = max((row for row in rows if row.kind == SINGLE), key=lambda row: row.valid)
    fused = max((row for row in rows if row.kind != SINGLE), key=lambda row: row.valid, default=None)
    gap = None if fused is None else difference(matches[fused.name], matches[single.name], seed=seed)
    return Events(
        metric=METRIC,
        chosen=chosen.name,
        rows=rows,
        films={part: len(found.films_of(part)) for part in told.split.parts},
        events={part: sum(len(found.spans[i]) for i in found.films_of(part)) for part in told.split.parts},
        units=sum(len(one) for one in judges["test"].starts),
        best_single=single.name,
        best_fused=None if fused is None else fused.name,
        verdict=NO_EVIDENCE if gap is None else verdict(gap),
        statement=_said(gap, fused, single),
        difference=gap,
        views=found.described(),
        settings={"rate": found.rate, "clock": clock.plain(), "design": design.plain(), "operators": list(operators)},
        notes=found.notes,
        problems=found.problems,
        seconds={**stages.seconds, "total": time.perf_counter() - start},
        versions=versions(),
        model=EventModel(
            finders[chosen.name],
            found.encoders,
            found.classes,
            info={
                "metric": METRIC,
                "score": chosen.test.score,
                "valid": chosen.valid,
                "confidence": told_from,
                "seed": seed,
                "versions": versions(),
            },
        ),
        matches=matches,
        seed=seed,
        command=command,
    )


def _checked(
    views: Sequence[str] | None, picture: str, operators: Sequence[str], rate: float | None, piece: float | None
) -> None:
    """Refuse, before any work, what cannot be used."""
    if odd := [view for view in views or () if view not in VIEWS]:
        raise ConfigError(f"views: expected some of {', '.join(VIEWS)}, got {odd[0]!r}")
    if picture not in PICTURES:
        raise ConfigError(f"picture: expected one of {', '.join(PICTURES)}, got {picture!r}")
    if piece is not None and not piece > 0:
        raise ConfigError(f"piece: expected seconds above 0, got {piece}")
    if rate is not None and not 0.1 <= rate <= 100:
        raise ConfigError(f"rate: expected 0.1 to 100 steps a second, got {rate}")
    for operator in operators:
        registry.get("fusion", operator)
    if not operators:
        raise ConfigError("operators: expected one fusion operator or more, got none")


def _kinds(
    films: Sequence[Any], train: np.ndarray, views: Sequence[str] | None, picture: str, problems: list[Problem]
) -> dict[str, str]:
    """Encoders {view: kind} of the views that are wanted and that a training film may have."""
    own = [films[i] for i in train]
    wanted = tuple(views) if views is not None else VIEWS
    found: dict[str, str] = {}
    if "sound" in wanted and any(film.sound or film.film for film in own):
        found["sound"] = "log_mel"
    if "video" in wanted and any(film.film for film in own):
        kind = picture if picture != "auto" else ("motion" if one_scene(own) else "image_efficientnet")
        found["video"] = kind
    if "text" in wanted and any(film.cues for film in own):
        found["text"] = "cues"
    elif views is not None and "text" in views:
        problems.append(Problem("no text", "text", "no training film has a transcript; the view is left out"))
    if not found:
        raise DataError("films: no training film has one of the views; expected sound, frames or a transcript")
    return found


def _judge(found: Material, part: str, piece: float | None) -> Judge:
    films = found.films_of(part)
    return Judge(
        found.all_classes,
        [found.tracks[i].name for i in films],
        [found.spans[i] for i in films],
        [found.codes[i] for i in films],
        pieces([found.tracks[i].duration for i in films], piece),
    )


def _finders(
    found: Material,
    clock: Clock,
    design: Design,
    operators: Sequence[str],
    judge: Judge,
    seed: int,
    device: str,
    progress: Progress | None,
) -> tuple[dict[str, Finder], Weigher, dict[str, float]]:
    """All candidates: every view alone, all fused, and averages with weights chosen on validation films."""
    examples = [Example(found.tracks[i], *found.learned(i)) for i in found.films_of("train")]
    weigher = Weigher([found.tracks[i] for i in found.films_of("valid")], judge)
    finders: dict[str, Finder] = {}
    seconds: dict[str, float] = {}

    def trained(name: str, views: Sequence[str], operator: str, begin: Mapping[str, Member] | None = None) -> Member:
        since = time.perf_counter()
        with stage(progress, f"train {name}", design.updates) as bar:
            member = train_member(
                name, views, operator, examples, found.encoders, clock, design, weigher.score,
                begin=begin, seed=seed, device=device, advance=bar.advance,
            )  # fmt: skip
        seconds[name] = time.perf_counter() - since
        return member

    singles = {view: trained(f"{SINGLE}:{view}", [view], "concat") for view in found.encoders}
    finders.update({member.name: member for member in singles.values()})
    if len(singles) < 2:
        return finders, weigher, seconds
    for operator in operators:
        finders[f"{FUSED}:{operator}"] = trained(f"{FUSED}:{operator}", list(singles), operator, singles)
    for rule in RULES:
        finders[f"{MODEL}:{rule}"] = weigher.best(f"{MODEL}:{rule}", list(singles.values()), rule)
    fused = max((finders[f"{FUSED}:{operator}"] for operator in operators), key=weigher.score)  # type: ignore[arg-type]
    members: list[Any] = [fused, *singles.values()]
    finders[f"{MODEL}:all"] = weigher.best(f"{MODEL}:all", members, "product")
    return finders, weigher, seconds


def _scored(
    found: Material,
    finders: Mapping[str, Finder],
    weigher: Weigher,
    judge: Judge,
    seconds: Mapping[str, float],
    seed: int,
) -> tuple[list[EventRow], dict[str, Matches]]:
    """Scores of all candidates; test films are looked at here, once."""
    rows, matches = [], {}
    films = [found.tracks[i] for i in found.films_of("test")]
    for name, finder in finders.items():
        valid = weigher.judge.score([find(finder, film, floor=FLOOR) for film in weigher.films])
        detected = [find(finder, film, floor=FLOOR) for film in films]
        matches[name] = judge.matches(detected, [0.5])
        both = judge.scores(detected, seed=seed)
        own = dict(zip(matches[name].labels, matches[name].average_precision()[:, 0].tolist(), strict=True))
        members = members_of(finder)
        shares = finder.weights if isinstance(finder, Average) else (1.0,)
        rows.append(
            EventRow(
                name,
                name.partition(":")[0],
                valid,
                both[METRIC],
                both["map"],
                own,
                weights={m.name: w for m, w in zip(members, shares, strict=True)},
                parameters=sum(p.numel() for m in members for p in m.network.parameters()),
                fit_seconds=sum(seconds[m.name] for m in members),
            )
        )
    return rows, matches


def _said(gap: Difference | None, fused: EventRow | None, single: EventRow) -> str:
    if gap is None or fused is None:
        return f"Only one view: {single.name} was not compared with fusion."
    return statement(gap, metric="mAP@.5", auto=fused.name, best_single=single.name)


__all__ = ["Design", "EventRow", "Events", "fit_events", "rate_for"]
