"""Kill a process that writes to an index, again and again, and look at what it leaves. Run by `test_kill.py`.

This process imports LanceDB once and never uses it: every attempt is a fork of it, so that none inherits a running one.
`python _kills.py FOLDER TIMES SEED` prints one JSON line per kill.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import faiss
import lancedb.index  # noqa: F401  # so that a fork need not
import numpy as np
import pyarrow as pa

from fusible.errors import DataError
from fusible.index import _graphs, _writer
from fusible.index.items import Items
from fusible.index.store import Index

WIDTH = 8
TRIES = 3
"""Earlier moments that are tried where a stage was done before it was killed."""
SCHEMA = pa.schema([("price", pa.float64())])
_graphs.STORED, _graphs.APPROXIMATE, _graphs.FRESH, _writer.FLUSH_ROWS = 100, 350, 60, 40
_graphs.SAMPLE = 50


def items(first, last, turn):
    """Rows whose content follows from their numbers and a turn."""
    random = np.random.default_rng([first, turn])
    vectors = random.standard_normal((last - first, WIDTH)).astype(np.float32)
    names = [f"row {row}" for row in range(first, last)]
    texts = [f"turn{turn} word{row}" for row in range(first, last)]
    columns = pa.table({"price": pa.array(np.arange(first, last) + turn, pa.float64())})
    return Items(names, {"image": vectors, "fused": vectors + 1}, columns, texts, keys=[f"{n}/{turn}" for n in names])


def put(writer, first, last, turn):
    """Put rows twenty at a time, but those that this job wrote before it was killed."""
    for start in range(first, last, 20):
        part = items(start, min(start + 20, last), turn)
        if not writer.done(part.ids).all():
            writer.put(part, [{"id": part.ids[0], "view": "image", "message": f"turn {turn}"}])


def build(folder):
    """Make an index of 300 rows, unless it is there: then the job that made it runs again."""
    try:
        index = Index.open(folder)
    except DataError:
        index = Index.create(folder, {"image": WIDTH, "fused": WIDTH}, SCHEMA, {"model": "m"})
    with index.writing("build") as writer:
        put(writer, 0, 300, 0)


def add(folder):
    """Add 150 rows."""
    with Index.open(folder).writing("add") as writer:
        put(writer, 300, 450, 0)


def update(folder):
    """Change 100 rows and take out 40."""
    with Index.open(folder).writing("update") as writer:
        writer.delete([f"row {row}" for row in range(200, 240)])
        put(writer, 100, 200, 1)


def compact(folder):
    """Compact after an update."""
    Index.open(folder).compact()


def digest(folder):
    """Hash of all that an index holds, in the order of ids; fails where its parts disagree."""
    index = Index.open(folder)
    names = sorted(index.ids())
    rows = index.take(names).to_pydict()
    assert len(names) == len(set(names)) == index.rows
    assert rows["fusible_id"] == names
    vectors = {view: index.vectors(names, view) for view in index.widths}
    for view, held in vectors.items():
        for exact in (True, None):
            found = index.search(view, held[:50], 1, exact=exact)
            best = (held[:50] @ held.T).max(axis=1)
            right = np.abs(best - [scores[0] for scores in found.scores]) < 0.05
            assert right.mean() >= (1.0 if exact else 0.8), (view, exact, right.mean())
    for name, text in zip(names[::37], rows["fusible_text"][::37], strict=True):
        assert name in index.words(text, 20).ids[0]
    content = {**rows, "vectors": [held.tolist() for held in vectors.values()], "failures": sorted_failures(index)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sorted_failures(index):
    """Failures in a fixed order."""
    return sorted((failure["id"], failure["message"]) for failure in index.failures)


def state(folder):
    """What a reader sees: a digest, or the one line that the first build is unfinished."""
    try:
        return digest(folder)
    except DataError as error:
        if "was not finished" in str(error) or "found none" in str(error):
            return "unfinished"
        raise


def forked(work, *arguments, after=None):
    """Run in a fork; what it returned, or None where it was killed after some seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        faiss.omp_set_num_threads(1)
        try:
            answer = json.dumps([work(*arguments)])
        except BaseException as error:  # noqa: BLE001  # reported by the parent
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    if not answer:
        return None
    found = json.loads(answer)
    if isinstance(found, dict):
        raise RuntimeError(found["error"])
    return found[0]


def main():
    """Kill every stage in turn at random moments, and compare what is left, and what a rerun makes of it."""
    folder, times, random_ = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    before, after, spent = {}, {}, {}
    whole, stages = folder / "whole", (build, add, update, compact)
    for stage in stages:
        before[stage] = forked(state, whole)
        if whole.exists():
            shutil.copytree(whole, folder / f"before-{stage.__name__}")
        begun = time.monotonic()
        forked(stage, whole)
        spent[stage] = time.monotonic() - begun
        after[stage] = forked(state, whole)
    for kill in range(times):
        stage = stages[kill % len(stages)]
        place, moment = folder / f"kill-{kill}", random_.uniform(0, spent[stage])
        killed = hit(stage, folder, place, moment)
        for _ in range(TRIES):
            if not killed:  # it was done before: a busy machine is faster at one time than at another
                shutil.rmtree(place)
                moment = random_.uniform(0, moment)
                killed = hit(stage, folder, place, moment)
        seen = forked(state, place)
        forked(stage, place)
        again = forked(state, place)
        report = {"stage": stage.__name__, "moment": moment, "killed": killed, "seen": seen, "again": again}
        report |= {"before": before[stage], "after": after[stage], "left": sorted(left(place))}
        sys.stdout.write(json.dumps(report) + "\n")
        shutil.rmtree(place)


def hit(stage, folder, place, moment):
    """Run a stage where it begins and kill it at a moment; whether it was not done by then."""
    if stage is not build:
        shutil.copytree(folder / f"before-{stage.__name__}", place)
    return forked(lambda: stage(place) is None, after=moment) is None


def left(place):
    """Files that only an unfinished job has."""
    return [path.name for path in place.iterdir() if path.name.startswith(("work", "."))]


if __name__ == "__main__":
    main()
