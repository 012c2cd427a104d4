"""What failed, said once more and briefly: `python3 tests/failures.py JUNIT.XML`, for the end of CI's output."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as tree

LINES = 40  # of each failure, its last
FAILURES = 12  # in full; of the others the names


def main(path: str) -> None:
    try:
        cases = list(tree.parse(path).iter("testcase"))
    except (OSError, tree.ParseError) as error:
        print(f"no results of tests: {error}")
        return
    failed = [(case, part) for case in cases for part in case if part.tag in ("failure", "error")]
    print(f"{len(cases)} tests, {len(failed)} failures")
    for number, (case, part) in enumerate(failed):
        print(f"\n-- {case.get('classname')}::{case.get('name')} ({float(case.get('time') or 0):.0f} s)")
        if number < FAILURES:
            print("\n".join((part.text or part.get("message") or "").splitlines()[-LINES:]))


if __name__ == "__main__":
    main(sys.argv[1])
