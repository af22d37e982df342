"""A study as one self-contained HTML page: no script, no link, no asset outside it; light and dark.

Everything that comes from the user's table is escaped by the template engine; pictures are shrunk and embedded.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fusible.errors import ConfigError
from fusible.evaluation.metrics import decide
from fusible.evaluation.study import StrategyResult, StudyResult, plain
from fusible.report import _plots, _words
from fusible.report.sections import reliability_figures, sections

MOST_EXAMPLES = 24
MOST_PROBLEMS = 60
MOST_COLUMNS = 200
LONGEST = 400
PICTURE_SIDE = 320
PICTURE_BYTES = 40_000
SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def write_report(result: StudyResult, path: str | os.PathLike[str]) -> Path:
    """Write the page, whole or not at all, and return its path; raises `ConfigError` where there is no such folder."""
    return write_page(lambda: render(result), Path(path))


def write_page(page: Callable[[], str], path: Path) -> Path:
    """Write a page beside its place, then rename; what is there stays where the page cannot be made."""
    if not path.parent.is_dir():
        raise ConfigError(f"report {path}: folder {path.parent} does not exist; create it first")
    text = page()
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as beside:
        try:
            beside.write(text)
            beside.close()
            Path(beside.name).chmod(0o644)
            Path(beside.name).replace(path)
        except BaseException:
            Path(beside.name).unlink(missing_ok=True)
            raise
    return path


def render(result: StudyResult) -> str:
    """Give the page as text."""
    return render_template("template.html.j2", _content(result))


def render_template(name: str, content: Mapping[str, Any]) -> str:
    """Fill a template of this room; everything in `content` is escaped."""
    environment = Environment(
        loader=PackageLoader("fusible.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_words.number, count=_words.count, duration=_words.duration, span=_words.span, short=_short, say=_say
    )
    return environment.get_template(name).render(**content)


def _content(result: StudyResult) -> dict[str, Any]:
    chosen = _chosen(result)
    return {
        "result": result,
        "tone": {"helps": "good", "hurts": "bad"}.get(result.verdict, "even"),
        "metric": _words.metric_title(result.metric),
        "higher": _words.metric_sign(result.metric) > 0,
        "best": chosen,
        "single": result.strategy(result.best_single),
        "strategies": _strategy_rows(result),
        "scale": _plots.scale_line(_limits(result)),
        "metrics": _metric_table(result),
        "figures": _figures(result, chosen),
        "examples": [_example(example) for example in result.examples[:MOST_EXAMPLES]],
        "contrasts": [_contrast(example) for example in result.contrasts[:MOST_EXAMPLES]],
        **sections(result),
        "views": [plain(view) for view in result.views],
        "columns": [plain(column) for column in result.columns[:MOST_COLUMNS]],
        "columns_left": max(0, len(result.columns) - MOST_COLUMNS),
        "problems": result.problems[:MOST_PROBLEMS],
        "problems_left": max(0, len(result.problems) - MOST_PROBLEMS),
        "stages": stage_lines(result.seconds),
        "settings": flat(result.settings),
    }


def _chosen(result: StudyResult) -> StrategyResult:
    names = {row.name for row in result.strategies}
    return result.strategy("auto" if "auto" in names else result.auto)


def _limits(result: StudyResult) -> tuple[float, float]:
    return _plots.axis([row.test for row in result.strategies])


def _strategy_rows(result: StudyResult) -> list[dict[str, Any]]:
    limits = _limits(result)
    reference = result.strategy(result.best_single).test.score
    rows = []
    for row in result.strategies:
        marks = _words.marks(result, row)
        kind = "chosen" if row.name in {result.auto, "auto"} else "plain"
        rows.append(
            {
                "row": row,
                "family": _words.family_title(row.family),
                "marks": marks,
                "kind": kind,
                "gain": _words.number(_words.gain(result, row), signed=True),
                "bar": _plots.interval_bar(row.test, reference, limits, kind),
            }
        )
    return rows


def _metric_table(result: StudyResult) -> dict[str, Any]:
    names = list(dict.fromkeys(name for row in result.strategies for name in row.metrics))
    lines = [(row.name, [_words.number(row.metrics.get(name)) for name in names]) for row in result.strategies]
    return {"titles": [_words.metric_title(name) for name in names], "lines": lines}


def _figures(result: StudyResult, chosen: StrategyResult) -> list[dict[str, Any]]:
    given = result.predictions.get(chosen.name, result.predictions.get(result.auto))
    if given is None or not len(result.truth):
        return []
    said = decide(result.task, given, chosen.threshold)
    if result.task.is_classification:
        title = "Confusion matrix of auto on the test rows; shade is the share of the true class"
        plot = _plots.confusion(result.truth.astype(np.int64), said, result.task.classes)
        return [{"title": title, "plot": plot}, *reliability_figures(result)]
    if result.task.kind == "multilabel":
        labels = {"title": "Labels of auto on the test rows", "labels": _label_lines(result, said)}
        return [labels, *reliability_figures(result)]
    truth = result.truth.astype(float)
    return [
        {"title": "Predicted against true", "plot": _plots.scatter(truth, said, "true", "predicted", "diagonal")},
        {
            "title": "Residuals (true − predicted) against predicted",
            "plot": _plots.scatter(said, truth - said, "predicted", "residual", "zero"),
        },
    ]


def _label_lines(result: StudyResult, said: np.ndarray) -> list[tuple[str, int, str, str]]:
    hits = ((result.truth == 1) & (said == 1)).sum(axis=0)
    true, claimed = (result.truth == 1).sum(axis=0), (said == 1).sum(axis=0)
    order = np.argsort(-true, kind="stable")[: _plots.MOST_CLASSES]

    def share(k: int, whole: np.ndarray) -> str:
        return _words.number(float(hits[k] / whole[k])) if whole[k] else "–"

    return [(result.task.classes[k], int(true[k]), share(k, claimed), share(k, true)) for k in order]


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    confidence = example.get("confidence")
    return {
        "title": str(example.get("title", "")),
        "picture": _picture(example.get("image")),
        "fields": {str(name): _short(value) for name, value in (example.get("fields") or {}).items()},
        "truth": _say(example.get("truth")),
        "prediction": _say(example.get("prediction")),
        "right": _say(example.get("truth")) == _say(example.get("prediction")),
        "confidence": f"{confidence:.0%}" if isinstance(confidence, float) else None,
    }


def _contrast(example: Mapping[str, Any]) -> dict[str, Any]:
    says = [(name.removeprefix("single:"), _say(said), right) for name, said, right in example["says"]]
    return {**_example(example), "says": says}


def _picture(data: bytes | None) -> Markup | None:
    """Give a data URI: a small PNG or JPEG as it is, others shrunk to a JPEG; none where it is no picture."""
    if not data:
        return None
    kind = next((kind for signature, kind in SIGNATURES.items() if data.startswith(signature)), None)
    if kind is None or len(data) > PICTURE_BYTES:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(BytesIO(data)) as image:
                image.draft("RGB", (PICTURE_SIDE * 2, PICTURE_SIDE * 2))
                small = image.convert("RGB")
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
            return None
        small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        buffer = BytesIO()
        small.save(buffer, "JPEG", quality=80)
        data, kind = buffer.getvalue(), "image/jpeg"
    return Markup(f"data:{kind};base64,{b64encode(data).decode()}")  # noqa: S704  (only our own base64 text)


def stage_lines(seconds: Mapping[str, float]) -> list[tuple[str, str, float]]:
    """Name, duration in words and share of the longest, per stage."""
    longest = max([*seconds.values(), 1e-9])
    return [(name, _words.duration(value), round(100 * value / longest, 1)) for name, value in seconds.items()]


def flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as lines of two texts, nested names joined by a dot."""
    lines: list[tuple[str, str]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            lines += flat(value, f"{prefix}{name}.")
        else:
            lines.append((f"{prefix}{name}", _short(str(value) if isinstance(value, float) else value)))
    return lines


def _say(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float | np.floating):
        return _words.number(float(value))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value)


def _short(value: Any) -> str:
    text = _say(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
