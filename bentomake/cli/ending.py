"""How a command ends: what went wrong as text, and an exit code; never a traceback for a user's mistake."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from ..errors import EXIT_FAILED, EXIT_INTERRUPTED, BentomakeError


def ended(command: Callable[[], int]) -> int:
    """The exit code of a command, its error shown."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):  # what was started has a group of its own
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupted)
    try:
        return command()
    except BentomakeError as error:
        from .. import console

        console.show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        from .. import console

        console.say("")  # as click does: a terminal shows ^C there
        return interrupted()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - so that the exit does not fail again
        return EXIT_FAILED


def interrupted() -> int:
    from .. import console

    console.say("interrupted; what had been made is kept, nothing is half made")
    return EXIT_INTERRUPTED


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt
