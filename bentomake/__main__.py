"""The entry: asks fresh first, and imports the rest only if something may have to run."""

from __future__ import annotations

import io
import os
import sys
import time


def main() -> int:
    """Run the command line; the exit code follows the table of the README."""
    began = time.perf_counter()
    _be_able_to_say_all()
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
        try:
            sys.stderr.write(stderr.replace("{seconds}", f"{time.perf_counter() - began:.2f}"))
        except OSError:  # nobody reads it
            pass
        try:
            sys.stdout.write(stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            return 1
        except OSError as error:
            sys.stderr.write(f"error: The answer cannot be written: {error.strerror}.\n")
            return 1
        return 0
    import gc

    gc.disable()  # a build is short, and nearly all of the many small records that it makes stay to its end
    from .cli.plain import carry_out, read

    found = None if completing else read(argv)
    if found is not None:
        from .cli.ending import ended

        return ended(lambda: carry_out(*found, argv))
    from .cli.main import run

    return run(argv)


def _be_able_to_say_all() -> None:
    """A stream that is closed takes everything; what the encoding of the answer lacks is escaped, as on stderr."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - same
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def script() -> None:
    """The console script: `main`, and then the process ends without first taking apart all that a build had made."""
    code = main()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):  # nobody reads the rest of the answer
        code = code or 1
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        pass
    os._exit(code)


if __name__ == "__main__":
    script()
