"""What one line of a requirement file says: names that PyPI knows otherwise, and what will not travel in a Bento."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from . import local_archives

# The name of an import → the distribution that has it.
MISNAMED = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mysqldb": "mysqlclient",
    "openssl": "pyopenssl",
    "pil": "pillow",
    "pptx": "python-pptx",
    "pytorch": "torch",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
MAX_CHARACTERS = 10_000  # of one line
TOO_LONG = f"A requirement has more than {MAX_CHARACTERS:,} characters in one line."
SHORTEN = "Write a requirement a line; hashes may follow it in lines of their own, after a backslash."
# A stranger's text is matched, so no two neighbours of an expression may take the same characters again and again.
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?=$|[;@=<>!~#\s(])")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]\s*(\S.*)$")
_REMOTE = re.compile(r"(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?(?:[a-z]+\+)?(?!file:)[a-z][a-z0-9+.-]*://", re.I)
_PIN = re.compile(
    r"bentoml\s*(?:\[[^\]]*\]\s*)?"
    r"((?:(?:[=<>~]=?=?|!==?)\s*[\w.*+-]+(?:![\w.*+-]+)*\s*(?:,\s*)?)+)(?:;|#|--|$)",
    re.I,
)


LOCAL_LINKS = "{} is a local directory, which will not be where the image is built."


def is_local(link: str) -> bool:
    """Whether what find_links names lies on this machine."""
    return "://" not in link or link.lower().startswith("file:")


class Found(NamedTuple):
    """A mistake (`wrong`) or a surprise."""

    wrong: bool
    message: str
    hint: str


def judge(text: str) -> Iterator[Found]:
    """What is to be said about one requirement."""
    if len(text) > MAX_CHARACTERS:
        yield Found(True, TOO_LONG, SHORTEN)
        return
    text = text.strip()
    if editable := _EDITABLE.match(text):
        if not _REMOTE.match(editable[1]):
            message = f"`{text}` is an editable package, which cannot travel in a Bento."
            yield Found(True, message, "Its modules are packed as sources; or build a wheel of it.")
        return
    if text.startswith("-"):
        link = _found_at(text)
        if link and is_local(link):
            yield Found(False, LOCAL_LINKS.format(link), "Use the URL of a page with links.")
        return
    spec = text.partition(" --")[0].partition(" ;")[0].strip()
    path = spec.partition(" @ ")[2].strip() or spec
    archive = local_archives.parse(spec)
    if archive is not None and not archive.outside:
        return  # it is packed
    if archive is not None or path.startswith(("/", "~")) or path.lower().startswith("file:"):
        message = f"{path} is a path of this machine; it means nothing where the image is built."
        yield Found(True, message, local_archives.ELSEWHERE)
    elif path in (".", "..") or path.startswith(("./", "../", ".[")):
        message = f"{path} is a directory of this machine, which will not be where the image is built."
        yield Found(True, message, "Its modules are packed as sources; or build a wheel of it.")
    elif (name := _NAME.match(text)) and (other := MISNAMED.get(name[1].lower().replace("_", "-"))):
        message = f"{name[1]} is the name of an import; the package that has it is {other}."
        yield Found(False, message, f"Write {other}{text[len(name[1]) :]}.")


def _found_at(text: str) -> str:
    """What a line with --find-links names."""
    for option in ("--find-links", "-f"):
        rest = text.removeprefix(option)
        if rest != text and (option == "-f" or rest[:1] in "= \t"):
            return rest.lstrip("= \t").partition(" #")[0].strip().strip("'\"")
    return ""


def pin_of_bentoml(text: str) -> str | None:
    """The version specifier that a requirement gives bentoml (`==1.1.11`), if it is one and gives one."""
    match = _PIN.match(text.strip())
    return match[1].strip().rstrip(",").strip() if match else None
