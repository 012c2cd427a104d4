"""The entry: asks fresh first, and imports the rest only if something may have to run."""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Run the command line; the exit code follows the table of the README."""
    began = time.perf_counter()
    argv = sys.argv[1:]
    try:
        cwd = os.getcwd()
    except OSError:
        sys.stderr.write("error: The working directory does not exist any more.\n")
        return 1
    completing = "_BENTOMAKE_COMPLETE" in os.environ  # a shell asks how the line could go on
    from .engine.fresh import answer

    fresh = None if completing else answer(argv, os.environ, cwd)
    if fresh is not None:
        stdout, stderr = fresh
        sys.stderr.write(stderr.replace("{seconds}", f"{time.perf_counter() - began:.2f}"))
        sys.stdout.write(stdout)
        return 0
    import gc

    gc.disable()  # a build is short, and nearly all of the many small records that it makes stay to its end
    from .cli.parsed import carry_out, known

    found = None if completing else known(argv, os.environ)
    if found is not None:
        from .cli.ending import ended

        return ended(lambda: carry_out(*found))
    from .cli.main import run

    return run(argv)


def script() -> None:
    """The console script: `main`, and then the process ends without first taking apart all that a build had made."""
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):  # a pipe, or a stream, that was closed; nobody reads what is left
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    script()
