"""A module that looks at everything there is to look at; the tests copy it into a project and import it there."""

import glob
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "beside"))

import outside  # found in ../beside
import shapes.circle

IMPORTED = (outside, shapes.circle)

with open("data/labels.json") as file:
    LABELS = json.load(file)
MORE = pathlib.Path("data/more.txt").read_text()
RESOLVED = (pathlib.Path(__file__).parent / "data" / ".." / "data" / "deep.txt").read_bytes()
try:
    open("missing.json").close()
except FileNotFoundError:
    pass

FLAGS = (
    os.path.exists("flag"),
    os.path.isdir("folder"),
    pathlib.Path("flag-of-pathlib").is_file(),
    pathlib.Path("exists-of-pathlib").exists(),
    os.access("tool.sh", os.X_OK),
    os.path.lexists("link"),
    os.stat("data/sized.bin").st_size,
)

LISTED = os.listdir("data")
with os.scandir("scanned") as entries:
    SCANNED = [entry.name for entry in entries]
GLOBBED = glob.glob("conf/*.yaml") + [str(path) for path in pathlib.Path("parts").glob("*.txt")]
WALKED = [names for _, _, names in os.walk("tree")]

try:
    import not_there_at_all
except ImportError:
    not_there_at_all = None
PROBED = importlib.util.find_spec("only_asked_for")

VARIABLES = [os.environ.get("LOOKS_GET"), os.getenv("LOOKS_GETENV"), "LOOKS_IN" in os.environ]
try:
    VARIABLES.append(os.environ["LOOKS_ITEM"])
except KeyError:
    pass
VARIABLES.append(os.environb.get(b"LOOKS_BYTES"))
for name in os.environ:
    if name == "LOOKS_PICKED":
        VARIABLES.append(os.environ[name])  # noqa: PERF401 -- read in a loop is read one by one

COPIES = [os.environ.copy(), dict(os.environ), {**os.environ}, list(os.environ.items()), list(os.environ.values())]
subprocess.run([sys.executable, "-c", ""], check=True, env={**os.environ, "EXTRA": "1"})
COPIES.append({name: value for name, value in os.environ.items() if name.startswith("LOOKS_COPIED")})

if not os.path.exists("service.log"):
    with open("service.log", "a") as file:
        file.write("imported\n")
open("service.log").close()
print("printed by the import")
print("and on the other stream", file=sys.stderr)
