"""The benchmarks: `python tests/bench/run.py [--quick]` measures every promise about speed.

Measures the console script of a wheel of this checkout, in an environment that the script makes, in turns with
`bentoml build`, doit and ninja doing the same job (copy all files when one has changed), and prints a Markdown table,
each case as it ends. The cases of images want docker: `run.py images`, or one: `run.py images-edited --model 64MiB`.
Each image of a peer has its model in a layer of its own, which docker keeps: `--prune-to`, on an engine of yours alone.
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
from image_cases import Images, Often
from measure import Case, Failed, head, lines
from places import Places


def main() -> int:
    options = _options()
    failed = False
    top = Path(tempfile.mkdtemp(prefix="bentomake-bench-", dir=options.dir)).resolve()
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores.\n")
    print(head(), flush=True)
    images: Images | None = None
    try:
        places = Places(Path(options.environments).resolve() if options.environments else top / "environments")
        warm_up = 0 if options.quick else 1
        python = places.service_python()
        bench = cases.Bench(places, places.bentomake(), python, top, options.runs, options.slow_runs or 5, warm_up)
        images = Images(bench, options.model or 2**30, _often(options), options.prune_to)
        for name in options.only:
            print(f"measures {name} …", file=sys.stderr, flush=True)
            try:
                made = _PLAIN[name](bench, options) if name in _PLAIN else _IMAGES[name](images)
            except Failed as error:
                print(f"error: {error}", file=sys.stderr, flush=True)
                failed = True
                continue
            for one in made if isinstance(made, list) else [made]:
                print(lines(one), flush=True)
    finally:
        if images:
            images.close()
        shutil.rmtree(top, ignore_errors=True)
    return int(failed)


_PLAIN: dict[str, Callable[[cases.Bench, argparse.Namespace], Case | list[Case]]] = {
    "unchanged-few": lambda bench, options: cases.nothing_changed(bench, max(options.files // 10, 1), 0.030),
    "unchanged-many": lambda bench, options: cases.nothing_changed(bench, options.files, 0.100),
    "iris": lambda bench, _: cases.iris_unchanged(bench, locking=True),
    "iris-unlocked": lambda bench, _: cases.iris_unchanged(bench, locking=False),
    "service": lambda bench, _: cases.service_edited(bench, 0.200),
    "edited": lambda bench, options: cases.one_edited(bench, options.files, 0.400),
    "first": lambda bench, options: cases.first_build(bench, options.files, max(options.files / 5_000, 0.5)),
    "model": lambda bench, options: cases.model(bench, options.model or 2**31),
    "export": lambda bench, options: cases.exported(bench, options.model or 2**28),
}
_IMAGES: dict[str, Callable[[Images], Case]] = {
    "images-unchanged": Images.unchanged,
    "images-edited": Images.edited,
    "images-model": Images.remodelled,
    "images-requirement": Images.extended,
    "images-requirement-small": Images.extended_small,
}


def _often(options: argparse.Namespace) -> Often:
    if options.quick:
        return Often(options.runs, options.pairs or 2, options.slow_runs or 1, options.peer_runs or 1)
    return Often(options.runs, options.pairs or 15, options.slow_runs or 3, options.peer_runs or 2)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = f"only cases whose name begins with this: {', '.join((*_PLAIN, *_IMAGES))}"
    parser.add_argument("only", nargs="*", metavar="CASE", help=what)
    parser.add_argument("--quick", action="store_true", help="small sizes, two runs: does the script still work?")
    parser.add_argument(
        "--files", type=int, metavar="N", help="files of the big project (10000; the small has a tenth)"
    )
    parser.add_argument(
        "--model",
        type=_size,
        metavar="SIZE",
        help="of the big model, like 64MiB (2GiB; 256MiB in exports, 1GiB in images)",
    )
    parser.add_argument("--runs", type=int, metavar="N", help="runs of each command that takes milliseconds (20)")
    parser.add_argument(
        "--slow-runs", type=int, metavar="N", help="runs of each command that takes seconds (5; of an image anew 3)"
    )
    parser.add_argument("--pairs", type=int, metavar="N", help="runs of an edited image and the engine's no-op (15)")
    parser.add_argument("--peer-runs", type=int, metavar="N", help="runs of each peer that makes images (2)")
    prune = "prune docker's builder cache to this (24GB) between runs, whosever it is; each image of a peer adds to it"
    parser.add_argument("--prune-to", metavar="SIZE", help=prune)
    parser.add_argument("--environments", metavar="DIR", help="keep the virtual environments here for the next time")
    parser.add_argument("--dir", metavar="DIR", help="work below this directory (default: the temporary one)")
    options = parser.parse_args()
    for word in options.only:
        if not any(name.startswith(word) for name in (*_PLAIN, *_IMAGES)):
            parser.error(f"no case begins with {word!r}: {', '.join((*_PLAIN, *_IMAGES))}")
    unasked = () if options.only or not options.quick else _IMAGES  # packages are installed in five images: minutes
    every = [name for name in (*_PLAIN, *_IMAGES) if name not in unasked]
    options.only = [name for name in every if not options.only or name.startswith(tuple(options.only))]
    if options.quick:
        options.model, options.slow_runs = options.model or 2**24, options.slow_runs or 1
    options.files = options.files or (200 if options.quick else 10_000)
    options.runs = options.runs or (2 if options.quick else 20)
    return options


def _size(text: str) -> int:
    """Bytes: of a number with KiB, MiB or GiB; a number alone is of MiB."""
    units = {"": 2**20, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    number = text.rstrip("KMGiB")
    if text[len(number) :] not in units:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it like 64MiB")
    return int(float(number) * units[text[len(number) :]])


if __name__ == "__main__":
    sys.exit(main())
