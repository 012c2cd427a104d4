"""What can go wrong, each with a sentence, a place, a hint and an exit code."""

from __future__ import annotations

from typing import Any

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class BentomakeError(Exception):
    """Anything bentomake tells its user instead of a traceback.

    `message` is a sentence; `place` names where (`bentofile.yaml:12`); `hint` says what to do; `detail` is text
    shown as it is (a resolver's words, the user's own frames); `exit_code` follows the table of the README.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, place: str | None = None, hint: str | None = None, detail: str | None = None):
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
        self.detail = detail

    def to_json(self) -> dict[str, Any]:
        return {"error": self.message, "place": self.place, "hint": self.hint, "detail": self.detail}


class UsageError(BentomakeError):
    """The command line or the bentofile is wrong: exit code 2."""

    exit_code = EXIT_USAGE


class BentofileError(UsageError):
    """The bentofile is wrong; `place` is `FILE` or `FILE:LINE`."""


class StepError(BentomakeError):
    """A step failed for a reason its user can understand (lock, import): exit code 1."""


class StoreError(BentomakeError):
    """A store (Bentos, models, cache) cannot be read or written: exit code 1."""


class RuleError(BentomakeError):
    """A rule broke its own declaration: a defect of the rule, not of the user's project."""


class Several(UsageError):
    """Several mistakes found at once; `errors` are shown one after the other."""

    def __init__(self, errors: list[BentomakeError]):
        super().__init__(errors[0].message, place=errors[0].place, hint=errors[0].hint)
        self.errors = errors
        self.exit_code = max(error.exit_code for error in errors)
