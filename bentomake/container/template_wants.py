"""What a user's template takes for granted of the image, since BentoML's guide and its own images have it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The compilers that each distribution's image of bentoml has, whoever wants them; ours has them where they are called.
COMPILERS = {
    "debian": ("build-essential",),
    "alpine": ("build-base",),
    "amazonlinux": ("gcc", "gcc-c++", "make"),
    "ubi8": ("gcc", "gcc-c++", "make"),
}
HAVE_BASH = ("debian",)  # beside an /bin/sh that is another; on others it is bash itself, or there is none
# A command of a RUN with words after it; alone on its line or before `\` it is a package that the template installs.
_CALLED = re.compile(r"(?m)(?:^|[;&|(]|^RUN\s(?:--\S+\s+)*)[ \t]*(?:g?cc|[gc]\+\+|make)[ \t]+[^\s\\&|;]")
_OF_BASH = re.compile(r"(?m)(?:^|\s)[A-Za-z_]\w*\+?=\(|\s<\(|<<<|^RUN\b.*\sset\s.*\bpipefail\b")  # else a syntax error
_COMMENT = re.compile(r"(?s)\{#.*?#\}|(?m:^[ \t]*#.*$)")
_SHELL = re.compile(r"(?im)^SHELL\s")
_CACHED = re.compile(r"\bfrom=cached\b")
_ITS_OWN = re.compile(r"(?im)^FROM\s.*\sAS\s+cached\s*$")


def granted(template: str | None, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for the template, none if there is no `template`.

    `system_packages` with compilers, if it calls one; `bash`, if its words are for that and it names no shell;
    `cached`, if its cache mounts begin with a stage of that name, which BentoML had once and no Dockerfile has.
    """
    text = _COMMENT.sub("", template or "")
    compilers = COMPILERS.get(facts["distro"], ()) if _CALLED.search(text) else ()
    return {
        "system_packages": list(dict.fromkeys([*facts["system_packages"], *compilers])),
        "bash": facts["distro"] in HAVE_BASH and bool(_OF_BASH.search(text)) and not _SHELL.search(text),
        "cached": bool(_CACHED.search(text)) and not _ITS_OWN.search(text),
    }
