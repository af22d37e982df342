"""Start-up: seconds of `import fusible` and of `fusible --help`, the median of several fresh processes."""

from __future__ import annotations

import subprocess
import sys
import time

from _harness import Benchmark, arguments

IMPORT = "import time; t = time.perf_counter(); import fusible; print(time.perf_counter() - t)"


def main() -> None:
    """Time both, and judge the claims."""
    args = arguments(__doc__)
    benchmark = Benchmark("start", args)
    runs = 3 if args.quick else 9
    imports = sorted(import_seconds() for _ in range(runs))
    helps = sorted(help_seconds() for _ in range(runs))
    for name, seconds in (("import fusible", imports), ("fusible --help", helps)):
        benchmark.row(what=name, best=seconds[0], median=seconds[runs // 2], worst=seconds[-1], runs=runs)
    benchmark.claim("seconds of import fusible, median", imports[runs // 2], at_most=0.3)
    benchmark.claim("seconds of fusible --help, median", helps[runs // 2], at_most=0.5)
    benchmark.finish()


def import_seconds() -> float:
    """Time the import alone, in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def help_seconds() -> float:
    """Time the whole process of the command."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "fusible", "--help"], capture_output=True, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
