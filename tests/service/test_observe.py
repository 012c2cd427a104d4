"""What an import looks at is seen, on any Python and without bentoml: the observers alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import service_projects as projects

import bentomake.service as room

# What probe.py does, less bentoml: load the observers by path, import a module, print the report.
DRIVER = """
import json, os, sys, sysconfig, site
from types import ModuleType
where, context, home, module, *paths = sys.argv[1:]
def beside(name):
    made = ModuleType(name)
    exec(compile(open(f"{where}/{name}.py").read(), f"{where}/{name}.py", "exec"), made.__dict__)
    return made
sys.path.pop(0)
if "EARLY" in os.environ:
    __import__(os.environ["EARLY"])
os.chdir(context)
context = os.getcwd()
sys.path.insert(0, context)
observe, report = beside("observe"), beside("report")
request = {
    "home": home,
    "site": [path for path in sys.path if "site-packages" in path or "dist-packages" in path],
    "stdlib": [path for path in sys.path[1:] if "-packages" not in path],
    "paths": paths,
}
observer = observe.Observer([context], [home + "/models"], request["site"] + request["stdlib"], paths, where)
observer.install()
sys.path += paths
sys.stdout, out = sys.stderr, sys.stdout
try:
    __import__(module)
except PermissionError as error:
    print("refused", error.filename)
made = report.Report(observer, request, context).make()
out.write(json.dumps({**made, "refused": observer.refused}))
"""


def observe(context: Path, home: Path, module: str, *paths: Path, **env: str) -> dict[str, object]:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            DRIVER,
            str(Path(room.__file__).parent),
            str(context),
            str(home),
            module,
            *map(str, paths),
        ],
        env={**{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """One import of the project that looks at everything, through a symlinked context."""
    directory = tmp_path_factory.mktemp("observe")
    context = projects.observed(directory / "project")
    (directory / "by-link").symlink_to("project")
    home = directory / "home"
    (home / "models").mkdir(parents=True)
    return context, observe(directory / "by-link", home, "looks", LOOKS_PICKED="1", LOOKS_COPIED="1")


def test_each_file_that_was_read_is_seen_and_no_other(seen: tuple[Path, dict[str, object]]) -> None:
    assert projects.names(seen[1]["looked_at"], "file") == projects.SEEN_FILES


def test_each_question_for_existence_is_seen(seen: tuple[Path, dict[str, object]]) -> None:
    found = projects.names(seen[1]["looked_at"], "stat")
    assert found >= projects.SEEN_STATS
    assert "ctx/unread.txt" not in found


def test_each_listing_is_seen_but_not_those_of_the_import_system(seen: tuple[Path, dict[str, object]]) -> None:
    assert projects.names(seen[1]["looked_at"], "listing") == projects.SEEN_LISTINGS


def test_each_name_that_an_import_looked_for_is_seen_where_it_was_looked_for(
    seen: tuple[Path, dict[str, object]],
) -> None:
    found = projects.names(seen[1]["looked_at"], "import")
    assert found >= projects.SEEN_IMPORTS
    assert "ctx/../beside:shapes" not in found  # found in the context, which comes first
    assert not [name for name in found if name.startswith("site:") and name.endswith(":json")]


def test_variables_that_the_project_reads_are_seen_and_a_copy_of_them_all_counts_nothing(
    seen: tuple[Path, dict[str, object]],
) -> None:
    assert projects.names(seen[1]["looked_at"], "env") == projects.SEEN_VARIABLES


def test_what_the_import_itself_writes_is_no_input(seen: tuple[Path, dict[str, object]]) -> None:
    assert not [name for _, name in seen[1]["looked_at"] if "service.log" in name]
    assert (seen[0] / "service.log").read_text() == "imported\n"


def test_no_bytecode_is_left_in_the_context_nor_beside_it(seen: tuple[Path, dict[str, object]]) -> None:
    assert not list(seen[0].rglob("__pycache__"))


def test_the_first_sight_of_each_file_of_the_context_is_kept(seen: tuple[Path, dict[str, object]]) -> None:
    found = (seen[0] / "data/labels.json").stat()
    assert seen[1]["seen"]["ctx/data/labels.json"] == [found.st_size, found.st_mtime_ns]
    assert "ctx/missing.json" not in seen[1]["seen"]


def test_stale_bytecode_of_the_context_is_not_believed(tmp_path: Path) -> None:
    """Same size, same time, other bytes: Python's own cache would run the old code."""
    context = projects.write(tmp_path / "p", {"old.py": "open('one.txt', 'a')\nopen('one.txt').close()\n"})
    subprocess.run([sys.executable, "-c", "import py_compile; py_compile.compile('old.py')"], cwd=context, check=True)
    assert list(context.rglob("*.pyc"))
    before = (context / "old.py").stat()
    (context / "old.py").write_text("open('two.txt', 'a')\nopen('two.txt').close()\n")
    os.utime(context / "old.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    observe(context, tmp_path / "home", "old")
    assert (context / "two.txt").exists()
    assert not (context / "one.txt").exists()


def test_modules_of_other_places_on_the_path_have_names_of_their_own(tmp_path: Path) -> None:
    """An editable install, a PYTHONPATH entry: named by its place in the path, in no checkout's own terms."""
    other, third = tmp_path / "other", tmp_path / "third"
    projects.write(other, {"tool/__init__.py": "import tool.part\n", "tool/part.py": "open(__file__).close()\n"})
    projects.write(third, {"unused.py": ""})
    context = projects.write(tmp_path / "p", {"reads.py": "import tool\n"})
    found = observe(context, tmp_path / "home", "reads", third, other)
    assert projects.names(found["looked_at"], "file") == {
        "ctx/reads.py",
        "path1/tool/__init__.py",
        "path1/tool/part.py",
    }
    assert {"ctx:tool", "path0:tool", "path1:tool", "path1/tool:part"} <= projects.names(found["looked_at"], "import")
    assert not list(context.rglob("__pycache__"))


def test_references_that_pathlib_took_early_are_seen_too(tmp_path: Path) -> None:
    text = "import pathlib\nassert pathlib.Path('there').exists()\npathlib.Path('gone').is_symlink()\n"
    context = projects.write(tmp_path / "p", {"reads.py": text, "there": ""})
    found = observe(context, tmp_path / "home", "reads", EARLY="pathlib")
    assert projects.names(found["looked_at"], "stat") >= {"ctx/there", "ctx/gone"}


def test_environments_git_and_bytecode_below_the_context_do_not_count(tmp_path: Path) -> None:
    text = (
        "import os\nfor name in ('.git/HEAD', 'env/lib/x.txt', '__pycache__/x.txt', 'real/x.txt'): open(name).close()\n"
    )
    files = {".git/HEAD": "", "env/pyvenv.cfg": "", "env/lib/x.txt": "", "__pycache__/x.txt": "", "real/x.txt": ""}
    context = projects.write(tmp_path / "p", {**files, "reads.py": text})
    found = observe(context, tmp_path / "home", "reads")
    assert projects.names(found["looked_at"], "file") == {"ctx/reads.py", "ctx/real/x.txt"}


@pytest.mark.parametrize(
    "statement",
    [
        "open({!r}, 'w')",
        "__import__('os').mkdir({!r})",
        "__import__('os').rename('reads.py', {!r})",
        "__import__('pathlib').Path({!r}).write_text('x')",
    ],
)
def test_a_write_below_a_model_is_refused(tmp_path: Path, statement: str) -> None:
    home = projects.write(tmp_path / "home", {"models/clf/v1/model.yaml": "name: clf\n", "models/clf/latest": "v1"})
    target = str(home / "models/clf/v1/new")
    context = projects.write(tmp_path / "p", {"reads.py": statement.format(target) + "\n"})
    found = observe(context, home, "reads")
    assert found["refused"] == target
    assert not Path(target).exists()


def test_a_model_that_is_read_is_seen_and_its_latest_may_be_repaired(tmp_path: Path) -> None:
    home = projects.write(tmp_path / "home", {"models/clf/v1/model.yaml": "name: clf\n"})
    text = f"import os\nhome = {str(home)!r}\nopen(home + '/models/clf/v1/model.yaml').close()\n"
    text += "open(home + '/models/clf/latest', 'w').write('v1')\nopen(home + '/other.txt', 'w').close()\n"
    text += "os.listdir(home + '/models')\n"
    context = projects.write(tmp_path / "p", {"reads.py": text})
    found = observe(context, home, "reads")
    assert found["refused"] is None
    assert {"home/models/clf/v1/model.yaml", "home/models/clf/latest"} < projects.names(found["looked_at"], "file")
    assert projects.names(found["looked_at"], "listing") == {"home/models"}
