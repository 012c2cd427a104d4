"""The shape of the program, held by ast: floors, one library one room, who prints, who starts processes, what keys."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bentomake.engine.rule import EXCUSED, KEYED, Rule, rule

ROOT = Path(__file__).resolve().parent.parent
IN_IMAGES = {"wheelhouse_bytecode.py"}  # run there, by the Python of the image
SOURCES = sorted([*ROOT.glob("bentomake/**/*.py"), *ROOT.glob("rules/**/*.py")])
RULES = "rules"

# A module may import from its own floor and from those below it. What runs in the user's interpreter stands apart.
FLOORS = [
    {"__init__", "errors"},
    {"engine"},
    {"bento"},
    {"service", "container"},
    {
        *("workspace", "project", "packing", "model_facts", "toolchain", "session", "runs", "surroundings", "swept"),
        *("ways", "imaging", "head_start", "lending", "origins", "remembered", "stored", "rehearsal", "module_lookup"),
    },
    {"build", "loading", "execution", "images", "containerize", "sdk", "export"},
    {"console", "cli", "__main__"},
]
# rules/ stands beside the rooms it composes, not above them.
RULES_MAY = {"errors", "engine", "bento", "service", "container"}

ROOMS = {
    "diskcache": {"engine.trace"},
    "networkx": {"engine.graph", "engine.scheduler"},
    "click": {"cli"},
    "rich": {"console"},
    "jinja2": {"container.rendering", "container.template_remarks"},
    "pathspec": {"bento.patterns", "bento.ignore"},
    "xxhash": {"engine.stat_index"},
    "fsspec": {"bento.transfer"},
    "yaml": {
        *("bento.yaml_place", "bento.yaml_words", "bento.yaml_text", "bento.conda"),
        *("service.runner_generation", "service.class_generation", "cli.store"),
    },
    "subprocess": {"engine.process"},
    "multiprocessing": set(),
    "bentoml": {
        "service.probe",
        "service.runner_generation",
        "service.class_generation",
        "service.image_calls",
        "service.resolve",
    },
    "pickle": set(),
    "piptools": set(),
}


def module(path: Path) -> str:
    """`engine.trace` of bentomake/engine/trace.py, `rules.lock` of rules/lock.py, `engine` of a package's __init__."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "bentomake":
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


MODULES = {module(path): path for path in SOURCES}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def room(name: str) -> str:
    return name.partition(".")[0]


def floor(name: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room(name) in rooms:
            return number
    raise AssertionError(f"{name} stands on no floor: the design has no such room")


def imports(path: Path) -> list[tuple[str, ast.stmt]]:
    """(name, statement) for each import, wherever it stands; ours without `bentomake.`, with a leading dot."""
    package = module(path).split(".") if path.name == "__init__.py" else module(path).split(".")[:-1]
    if path == ROOT / "bentomake" / "__init__.py":
        package = []
    found: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found.extend((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.extend(_names(node.module or "", node, absolute=True))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            found.extend(_names(".".join(["bentomake", *base, *([node.module] if node.module else [])]), node))
    return [(re.sub(r"^bentomake(\.|$)", ".", name), node) for name, node in found]


def _names(base: str, node: ast.ImportFrom, absolute: bool = False) -> list[tuple[str, ast.stmt]]:
    """`from .engine import graph` names the module engine.graph, `from .errors import StoreError` the module errors."""
    if absolute and base.partition(".")[0] != "bentomake":
        return [(base, node)]
    inner = base.removeprefix("bentomake").strip(".")
    found = []
    for alias in node.names:
        whole = f"{inner}.{alias.name}".strip(".")
        found.append((f"bentomake.{whole if whole in MODULES else inner}", node))
    return list(dict.fromkeys(found))


def ours(path: Path) -> list[str]:
    return [name[1:] or "__init__" for name, _ in imports(path) if name.startswith(".")]


def for_types_only(path: Path, node: ast.stmt) -> bool:
    for parent in ast.walk(parsed(path)):
        if isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.dump(parent.test) and node in parent.body:
            return True
    return False


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_file = pytest.mark.parametrize("path", SOURCES, ids=by_name)


def test_there_is_something_to_look_at():
    assert {
        "engine.trace",
        "rules.lock",
        "errors",
        "cli.main",
        "bento.tag",
        "service.look",
        "__init__",
    } <= MODULES.keys()
    assert ("engine.graph" in ours(ROOT / "bentomake/execution.py")) and ("bento.pins" in ours(ROOT / "rules/lock.py"))


@every_file
def test_a_module_imports_only_downward(path):
    name = module(path)
    for other in ours(path):
        if room(name) == RULES:
            assert room(other) in RULES_MAY | {RULES}, f"{name} imports {other}"
        elif room(other) == RULES:
            assert room(name) in {"build", "cli"}, f"{name} imports a rule"
        else:
            assert floor(other) <= floor(name), f"{name} imports {other}, which is above it"


@every_file
def test_the_engine_and_the_rooms_never_name_a_rule(path):
    if room(module(path)) in {"engine", "bento", "service", "container"}:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not node.value.startswith("bentomake.rules"), f"{by_name(path)}:{node.lineno}"


def test_the_engine_knows_nothing_of_bentos():
    for name, path in MODULES.items():
        if room(name) == "engine":
            assert {room(other) for other in ours(path)} <= {"engine", "errors", "__init__"}, name


@every_file
def test_rules_are_imported_as_bentomake_rules(path):
    for name, node in imports(path):
        assert room(name) != RULES, f"{by_name(path)}:{node.lineno} imports a top-level `rules`"


@every_file
def test_each_library_has_its_room(path):
    name = module(path)
    for imported, node in imports(path):
        library = room(imported)
        if library in ROOMS and not for_types_only(path, node):
            allowed = ROOMS[library]
            assert name in allowed or room(name) in allowed, f"{by_name(path)}:{node.lineno} imports {library}"


def test_each_room_of_a_library_exists_and_uses_it():
    later = {"fsspec", "multiprocessing", "pickle", "piptools"}  # not used, or not yet
    for library, rooms in ROOMS.items():
        users = {module(path) for path in SOURCES if any(room(name) == library for name, _ in imports(path))}
        assert users or library in later, f"nobody uses {library}"
        assert all(user in rooms or room(user) in rooms for user in users), library


def test_imports_have_no_circle():
    graph = {name: {o for o in ours(path) if o != name} for name, path in MODULES.items()}
    for (
        name,
        path,
    ) in MODULES.items():  # a circle through an import for types, or inside a function, is none at run time
        top = {alias for alias in parsed(path).body if isinstance(alias, (ast.Import, ast.ImportFrom))}
        graph[name] = {
            other[1:] or "__init__" for other, node in imports(path) if other.startswith(".") and node in top
        }
        graph[name].discard(name)
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"imports go in a circle: {' → '.join((*way[way.index(name) :], name))}"
        if name not in done:
            for other in sorted(graph.get(name, ())):
                walk(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        walk(name, ())


@every_file
def test_only_the_console_and_the_command_line_print(path):
    if room(module(path)) in {"console", "cli", "__main__"} or module(path) == "service.probe":
        return  # the probe speaks from the user's interpreter
    for node in ast.walk(parsed(path)):
        said = ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        assert said not in {"print", "sys.stdout", "sys.stderr", "sys.__stdout__"}, (
            f"{by_name(path)}:{node.lineno}: {said}"
        )


@every_file
def test_processes_are_started_in_one_place(path):
    if module(path) == "engine.process":
        return
    started = re.compile(
        r"os\.(system|popen|fork|forkpty|posix_spawnp?|spawn\w+|exec\w+)|asyncio\.create_subprocess\w*|pty\.\w+"
    )
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            assert not started.fullmatch(ast.unparse(node.func)), f"{by_name(path)}:{node.lineno} starts a process"


@every_file
def test_only_the_scheduler_decides_what_runs_at_once(path):
    names = {ast.unparse(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
    threads = names & {"threading.Thread", "Thread", "ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor"}
    # hashing may, and the two pipes of a process, and the blocks of an archive
    may = {"engine.scheduler", "bento.selection", "engine.process", "bento.compression"}
    assert not threads or module(path) in may, threads


@every_file
def test_nothing_that_is_read_can_be_run(path):
    """No eval, exec, unpickling or unsafe YAML, except where the user's own service is run."""
    if module(path).startswith("service.") or path.name in IN_IMAGES:
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "compile", "marshal.loads", "__import__", "yaml.unsafe_load"}, called
            if called == "yaml.load":
                loader = " ".join(ast.unparse(word.value) for word in node.keywords) + " ".join(
                    map(ast.unparse, node.args[1:])
                )
                assert "Safe" in loader or re.search(r"\b_?[A-Z]\w*Loader|self|loader", loader), ast.unparse(node)


@every_file
def test_the_first_line_says_the_modules_one_idea(path):
    text = ast.get_docstring(parsed(path))
    assert text, f"{by_name(path)} has no docstring"
    first = text.splitlines()[0]
    assert parsed(path).body[0].lineno == 1 and 10 < len(first) <= 120, first
    assert first[-1] in ".:;,?!)" or first[-1].isalnum()


@every_file
def test_no_module_is_named_for_having_no_idea(path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "core", "misc", "base"}


def test_no_file_is_longer_than_its_idea():
    lines = {by_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert max(lines.values()) <= 320, lines
    assert sum(count > 250 for count in lines.values()) <= len(lines) / 5, "rarely over 250 lines"


# Rules


@pytest.fixture(scope="module")
def book():
    from bentomake.rules import building

    return building()


def test_every_field_of_a_rule_is_keyed_or_excused_with_a_reason():
    assert {*Rule._fields} == {*KEYED, *EXCUSED}
    assert not set(KEYED) & EXCUSED.keys()
    assert all(len(reason.split()) >= 3 for reason in EXCUSED.values())


@pytest.mark.parametrize("field", KEYED)
def test_every_keyed_field_changes_the_key(field, tmp_path):
    from bentomake.engine.action import Action
    from bentomake.engine.code import CodeIdentity
    from bentomake.engine.content_store import ContentStore
    from bentomake.engine.digest import of_bytes
    from bentomake.engine.rebuilder import Rebuilder
    from bentomake.engine.rule import Tool
    from bentomake.engine.tree import dumped

    (tmp_path / "rule.py").write_text('"""A rule."""\n')
    (tmp_path / "x").write_text("")

    class Answers:
        label = origin = ""

        def param(self, name):
            return 1

        oracle = param

        def secret(self, name):
            return False

        def tool(self, name):
            return Tool(name, (), "1")

        def source(self, name):
            return dumped({})

    rebuilder = Rebuilder(ContentStore(str(tmp_path)), None, None, CodeIdentity("1", str(tmp_path / "code.json")))

    def key(declared):
        return rebuilder.static(Action("a", declared, Answers(), ()), {"x": of_bytes(b"")}).key

    @rule(outputs="o")
    def only(ctx): ...

    plain = only._replace(file=str(tmp_path / "rule.py"))
    other = plain._replace(**{field: "other" if field == "name" else ("x",)})
    assert key(plain) != key(other)


def test_a_rule_is_one_file_of_its_name_with_a_sentence_about_it(book):
    for each in book:
        assert Path(each.file).name == f"{each.name}.py"
        assert each.doc.splitlines()[0].strip(), each.name


def test_the_declaration_is_data_and_stands_above_the_recipe(book):
    for each in book:
        tree = ast.parse(Path(each.file).read_bytes())
        recipes = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
        assert [node.name for node in recipes] == [each.name], "one file, one rule"


def test_a_recipe_reaches_the_world_through_its_context_only(book):
    """What a recipe opens, lists or asks the environment by itself would be in no manifest."""
    world = re.compile(
        r"(os\.(listdir|scandir|walk|stat|getenv|getcwd)|os\.path\.(exists|isfile|isdir|getmtime|realpath)|time\.time|Path)"
    )
    for path in ROOT.glob("rules/*.py"):
        if path.name in IN_IMAGES:
            continue
        places = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Assign)]
        own = {ast.unparse(node.targets[0]) for node in places if "workdir" in ast.unparse(node.value)}
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                assert not world.fullmatch(ast.unparse(node.func)), (
                    f"{by_name(path)}:{node.lineno} {ast.unparse(node.func)}"
                )
                if ast.unparse(node.func) == "open":
                    where = ast.unparse(node.args[0])
                    assert "workdir" in where or where in own, f"{by_name(path)}:{node.lineno} opens {where}"


@pytest.mark.parametrize(
    "name",
    [
        *("bento.tag", "cli.plain", "engine.digest", "engine.fact", "engine.process", "engine.tree", "workspace"),
        *("container.backend", "container.docker_direct", "container.dockerfile_text", "container.options"),
        *("container.request", "container.secret_source"),
    ],
)
def test_records_that_every_image_needs_are_annotated_with_types(name: str) -> None:
    """typing compiles each annotation of a NamedTuple that is a string: 27 µs instead of 2, a hundred times."""
    text = MODULES[name].read_text()
    assert "(NamedTuple)" in text and "from __future__ import annotations" not in text


def test_the_tests_need_no_more_than_pytest() -> None:
    """Without its plugin, a marker of pytest-xdist's would be unknown, and --strict-markers end it all."""
    one = "tests/container/test_backend_engines.py"
    argv = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--collect-only", one]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
