"""A process that writes to an index is killed at random moments: a whole version stays, and a rerun completes it."""

import json
import subprocess
import sys
from pathlib import Path

KILLS = 20


def test_what_a_kill_leaves_is_whole_and_a_rerun_completes_it(tmp_path):
    script = Path(__file__).with_name("_kills.py")
    command = [sys.executable, str(script), str(tmp_path), str(KILLS), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kill["stage"] for kill in kills] == ["build", "add", "update", "compact"] * (KILLS // 4)
    for kill in kills:
        assert kill["seen"] in {kill["before"], kill["after"]}, kill
        assert kill["again"] == kill["after"], kill
        assert kill["left"] == []
    assert {kill["before"] for kill in kills if kill["stage"] == "build"} == {"unfinished"}
    assert len({kill["after"] for kill in kills}) == 3  # compaction changes nothing
    assert sum(kill["killed"] for kill in kills) >= KILLS - 1
