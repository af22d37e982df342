"""What all benchmarks share: arguments, the data folder, the machine's description, and the result file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FUSIBLE_DATA", ROOT.parent / "shared" / "data"))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

Row = dict[str, Any]


def arguments(description: str | None, seeds: Sequence[int] = (0,)) -> argparse.Namespace:
    """Parse what every benchmark takes: --json FILE, --quick, --seeds, --device, --cache.

    `seeds` are those run where none are named; the first of them alone in a quick run.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    parser.add_argument("--quick", action="store_true", help="smoke run of under 60 seconds; claims are not judged")
    shown = " ".join(map(str, seeds))
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help=f"seeds to run (default: {shown})")
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="feature cache (default: Fusible's own)")
    found = parser.parse_args()
    found.seeds = found.seeds or list(seeds[:1] if found.quick else seeds)
    return found


def data_folder(name: str) -> Path:
    """Return the folder `name` of the benchmark data; where it is absent, say so and end with exit code 0."""
    folder = DATA / name
    if not folder.is_dir():
        print(f"skipped: {name!r} is not in {DATA}; set FUSIBLE_DATA to the folder that holds it")
        sys.exit(0)
    return folder


def machine() -> dict[str, Any]:
    """Describe the machine: processor, cores, memory, accelerator, versions; never its name."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


@dataclass
class Benchmark:
    """Rows measured and claims judged by one benchmark."""

    name: str
    arguments: argparse.Namespace
    rows: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    """Of a benchmark that is run part by part: each part, and when it was measured."""

    def take(self, key: str, names: Sequence[str]) -> None:
        """Say that this run measures the parts `names`, and take over what the earlier result says of others.

        `key` is the cell of rows that names their part; claims begin with it and a colon.
        """
        if self.arguments.quick:
            return
        today, path = datetime.now(UTC).date().isoformat(), self.arguments.json
        self.parts = dict.fromkeys(names, today)
        if path is None or not path.is_file():
            return
        old = json.loads(path.read_text(encoding="utf-8"))
        kept = [row for row in old["rows"] if row[key] not in self.parts]
        dates = {row[key]: old.get("parts", {}).get(row[key], old["date"]) for row in kept}
        self.rows += kept
        self.claims += [claim for claim in old["claims"] if claim["claim"].split(":")[0] in dates]
        self.parts = dates | self.parts

    def row(self, **cells: Any) -> None:
        """Add one row of the table."""
        self.rows.append(cells)

    def claim(self, text: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Judge a claim: `value` at least or at most a target; `holds` is null in a quick run, which proves nothing."""
        if (at_least is None) == (at_most is None):
            raise ValueError(f"claim {text!r}: give at_least or at_most, and not both")
        holds = value >= at_least if at_least is not None else value <= (at_most or 0.0)
        target = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
        verdict = None if self.arguments.quick else bool(holds)
        self.claims.append({"claim": text, "value": float(value), "target": target, "holds": verdict})

    def finish(self) -> None:
        """Print rows and claims, and write the JSON file where one was asked for."""
        _print_rows(self.rows)
        for claim in self.claims:
            word = {True: "holds", False: "DOES NOT HOLD", None: "not judged"}[claim["holds"]]
            print(f"{claim['claim']}: {claim['value']:.4g} (target {claim['target']}): {word}")
        if self.arguments.json is not None:
            write(self.arguments.json, self.result())

    def result(self) -> dict[str, Any]:
        """Return the object of the result file."""
        return {
            "benchmark": self.name,
            "machine": machine(),
            "date": datetime.now(UTC).date().isoformat(),
            "quick": self.arguments.quick,
            "seeds": self.arguments.seeds,
            **({"parts": self.parts} if self.parts else {}),
            "rows": self.rows,
            "claims": self.claims,
        }


def study_rows(benchmark: Benchmark, result: Any, **cells: Any) -> dict[str, float]:
    """Add one row per strategy of a study; return the test score of each strategy."""
    study = result.to_json()
    for strategy in study["strategies"]:
        test = strategy["test"]
        benchmark.row(
            **cells,
            strategy=strategy["name"],
            metric=study["metric"],
            score=test["score"],
            low=test["low"],
            high=test["high"],
            fit_seconds=strategy["fit_seconds"],
        )
    return {strategy["name"]: strategy["test"]["score"] for strategy in study["strategies"]}


def few(dataset: Any, size: int) -> Any:
    """Give a dataset of `size` evenly spaced rows of each part of the dataset's own split."""
    import numpy as np

    split = dataset.split()
    parts = (split.train, split.valid, split.test)
    return dataset.take(np.concatenate([part[np.linspace(0, len(part) - 1, size, dtype=int)] for part in parts]))


def write(path: Path, result: dict[str, Any]) -> None:
    """Write a result as JSON beside its place, then rename it there: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def _print_rows(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*names)
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    Console(width=160).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
