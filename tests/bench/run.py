"""The benchmarks: `python tests/bench/run.py [--quick]` measures every promise about speed.

Measures the console script of a wheel of this checkout, in an environment that the script makes, in turns with
`bentoml build`, doit and ninja doing the same job (copy all files when one has changed), and prints a Markdown table.
CPU is that of the whole process with its children. No time is asserted: a slow or busy machine shows in the numbers,
not in the exit code; that is 1 if a command did not do its job. "iris" locks, so it needs the package index.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cases
import image_cases
from measure import Case, Failed, table
from places import Places


def main() -> int:
    options = _options()
    failed = False
    top = Path(tempfile.mkdtemp(prefix="bentomake-bench-", dir=options.dir)).resolve()
    try:
        places = Places(Path(options.environments).resolve() if options.environments else top / "environments")
        warm_up = 0 if options.quick else 1
        bench = cases.Bench(
            places, places.bentomake(), places.service_python(), top, options.runs, options.slow_runs, warm_up
        )
        chosen = _cases(bench, options)
        unasked = {"images"} if options.quick else set()  # packages are installed in five images: minutes, not seconds
        found: list[Case] = []
        for name, case in chosen.items():
            if not (any(word in name for word in options.only) if options.only else name not in unasked):
                continue
            print(f"measures {name} …", file=sys.stderr, flush=True)
            try:
                made = case()
            except Failed as error:
                print(f"error: {error}", file=sys.stderr, flush=True)
                failed = True
                continue
            found.extend(made if isinstance(made, list) else [made])
            print(table(made if isinstance(made, list) else [made]), file=sys.stderr, flush=True)
        print(
            f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores.\n"
        )
        print(table(found), flush=True)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    return int(failed)


def _cases(bench: cases.Bench, options: argparse.Namespace) -> dict[str, Callable[[], Case | list[Case]]]:
    many, few = options.files, max(options.files // 10, 1)
    scale = many / 10_000
    return {
        "unchanged-few": lambda: cases.nothing_changed(bench, few, 0.030),
        "unchanged-many": lambda: cases.nothing_changed(bench, many, 0.100),
        "iris": lambda: cases.iris_unchanged(bench, locking=True),
        "iris-unlocked": lambda: cases.iris_unchanged(bench, locking=False),
        "service": lambda: cases.service_edited(bench, 0.200),
        "edited": lambda: cases.one_edited(bench, many, 0.400),
        "first": lambda: cases.first_build(bench, many, max(2.0 * scale, 0.5)),
        "model": lambda: cases.model(bench, int(options.model * 2**20)),
        "images": lambda: image_cases.images(bench, int(options.model * 2**19)),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="CASE", help="only cases whose name has this in it")
    parser.add_argument("--quick", action="store_true", help="small sizes, two runs: does the script still work?")
    parser.add_argument(
        "--files", type=int, metavar="N", help="files of the big project (10000; the small has a tenth)"
    )
    parser.add_argument("--model", type=float, metavar="MIB", help="size of the big model (2048)")
    parser.add_argument("--runs", type=int, metavar="N", help="runs of each command that takes milliseconds (20)")
    parser.add_argument("--slow-runs", type=int, metavar="N", help="runs of each command that takes seconds (5)")
    parser.add_argument("--environments", metavar="DIR", help="keep the virtual environments here for the next time")
    parser.add_argument("--dir", metavar="DIR", help="work below this directory (default: the temporary one)")
    options = parser.parse_args()
    sizes = (200, 16.0, 2, 1) if options.quick else (10_000, 2048.0, 20, 5)
    for name, size in zip(("files", "model", "runs", "slow_runs"), sizes, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, size)
    return options


if __name__ == "__main__":
    sys.exit(main())
