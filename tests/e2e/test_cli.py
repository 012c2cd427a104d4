"""The command line: help that fits a screen, the store's commands, the cache's, completion, the tool's version."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness import ALL, LIGHT, LIMIT, SCRIPT, Project, World, end, start, wait_for

from bentomake.engine.collect import in_use

pytestmark = pytest.mark.real

COMMANDS = ["", "build", "containerize", "check", "schema", "explain"]
COMMANDS += ["list", "get", "delete", "export", "cache", "completion"]
CACHE_COMMANDS = ["cache stats", "cache gc", "cache verify", "cache export-wheels", "cache clear"]


@pytest.fixture
def light(bentoml14: str, tmp_path: Path) -> Project:
    return World(tmp_path, bentoml14).project("light", LIGHT)


@pytest.fixture
def built(light: Project) -> Project:
    light.run("-q").good()
    return light


WORKS = """
import sys
from bentomake.cli.ending import ended
from bentomake.engine.process import run
sys.exit(ended(lambda: run(["sh", "-c", "echo $$ > pid.new && mv pid.new pid && exec sleep 600"]).returncode))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_what_ends_a_command_ends_what_it_started(number: signal.Signals, tmp_path: Path) -> None:
    """A terminal that is closed, Ctrl-\\, kill: an engine would build on for nobody."""
    # a shell's background ignores some of them
    heard = f"import signal\nsignal.signal({number:d}, signal.SIG_DFL)\n"
    process = start([sys.executable, "-c", heard + WORKS], tmp_path, os.environ)
    try:
        wait_for((tmp_path / "pid").exists, process)
        process.send_signal(number)
        said = process.communicate(timeout=LIMIT)[1]
    finally:
        end(process)
    assert process.returncode == 130 and "interrupted; " in said
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_nohup_is_heard(tmp_path: Path) -> None:
    process = start(["nohup", sys.executable, "-c", WORKS], tmp_path, os.environ)
    try:
        wait_for((tmp_path / "pid").exists, process)
        process.send_signal(signal.SIGHUP)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert process.wait(timeout=LIMIT) not in (130, -signal.SIGHUP)
    finally:
        end(process)


@pytest.mark.parametrize("command", [*COMMANDS, *CACHE_COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_fits_a_screen(command: str, flag: str, tmp_path: Path) -> None:
    run = World(tmp_path, None).run(*command.split(), flag, env={"COLUMNS": "200"}).good()
    lines = run.stdout.splitlines()
    assert lines[0].startswith(f"Usage: bentomake {command}".rstrip())
    assert 3 < len(lines) <= (64 if command == "containerize" else 40)  # that has the options of all engines
    assert max(len(line) for line in lines) <= 100
    assert run.stderr == ""


def test_help_names_every_command(tmp_path: Path) -> None:
    text = World(tmp_path, None).run("--help").good().stdout
    table = text.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in table.splitlines()] == COMMANDS[1:]
    cache = World(tmp_path, None).run("cache", "--help").good().stdout
    for name in CACHE_COMMANDS:
        assert f"\n  {name.split()[1]} " in cache


def test_every_option_of_build_is_explained(tmp_path: Path) -> None:
    text = World(tmp_path, None).run("build", "--help").good().stdout
    for option in (
        *("-f", "-C", "--python", "-j", "-k", "-n", "-B", "-q", "--question", "--explain", "--upgrade", "--locker"),
        *("--output", "--progress", "--import-timeout", "-v", "--version", "--name", "--label"),
    ):
        (line,) = [line for line in text.splitlines() if f"{option} " in line[:40] or f"{option}," in line[:40]]
        assert line


def test_the_tools_own_version(tmp_path: Path) -> None:
    import bentomake

    run = World(tmp_path, None).run("--version").good()
    assert run.stdout == f"bentomake {bentomake.__version__}\n"


def test_the_first_word_is_a_command_or_else_a_target(built: Project) -> None:
    tag = built.run("-q", "-o", "tag").good().stdout
    assert built.run("build", "-q", "-o", "tag").good().stdout == tag
    assert built.run(".", "-q", "-o", "tag").good().stdout == tag
    assert built.run("build", "bento", "-q", "-o", "tag").good().stdout == tag
    assert built.run("bentofile.yaml", "-q", "-o", "tag").good().stdout == tag


def test_python_m_is_the_same_program(built: Project) -> None:
    import sys

    run = built.world.command([sys.executable, "-m", "bentomake", "-q", "-o", "path"], built.directory).good()
    assert run.stdout == built.run("-q", "-o", "path").good().stdout


# Where it speaks to


def test_an_encoding_that_lacks_a_letter_loses_no_line(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path / "hé", bentoml14)
    light, odd = world.project("light", LIGHT), os.fsdecode(b"a\xff.txt")
    light.edit("bentofile.yaml", "- data.txt", '- "*.txt"')
    ascii_ = {"PYTHONIOENCODING": "ascii"}
    paths = [light.run("-o", "path", env=ascii_).good().stdout for _ in range(2)]  # the second time fresh answers
    assert paths[0] == paths[1] == light.run("-o", "path").good().stdout.replace("é", "\\xe9")
    (light / odd).touch()
    run = light.make(env=ascii_).good()
    assert str(run.path).startswith(str(world.home))
    assert [reason["name"] for reason in run.reasons("sources")] == [odd]
    told = light.run("explain", env=ascii_).good().stdout
    assert "because a\\udcff.txt is new\n" in told and f"\n{len(ALL)} steps: 2 ran, " in told


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("line", ["--version", "cache -h", "schema", "-o tag"])
def test_an_answer_that_cannot_be_written_is_an_error(line: str, buffered: str, light: Project) -> None:
    if line == "-o tag":
        light.run(*line.split()).good()  # then fresh answers
    command = ["sh", "-c", f'"$0" {line} >/dev/full', SCRIPT]
    run = light.world.command(command, light.directory, env={"PYTHONUNBUFFERED": buffered})
    assert run.code == 1 and run.stderr.endswith("error: The answer cannot be written: No space left on device.\n")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_a_stream_that_is_closed_is_no_reason_to_fail(closed: str, light: Project) -> None:
    for _ in range(2):  # the second time fresh answers
        run = light.world.command(["sh", "-c", f'"$0" -o tag {closed}', SCRIPT], light.directory).good()
        assert ("light:" in run.stdout) == (closed == "2>&-")
    assert len(light.world.bentos()) == 1


# The store


def test_list(built: Project) -> None:
    built.run("build", "--version", "1.0", "-q").good()
    built.run("build", "--version", "2.0", "--name", "other", "-q").good()
    tags = set(built.world.bentos())
    table = built.run("list").good().stdout.splitlines()
    assert table[0].split() == ["Tag", "Size", "Model", "Size", "Creation", "Time"]
    assert {line.split()[0] for line in table[1:]} == tags
    rows = built.run("list", "-o", "json").good().json
    assert {row["tag"] for row in rows} == tags
    assert set(rows[0]) == {"tag", "size", "model_size", "creation_time"}
    assert yaml.safe_load(built.run("list", "-o", "yaml").good().stdout) == rows
    assert [row["tag"] for row in built.run("list", "other", "-o", "json").json] == ["other:2.0"]
    theirs = json.loads(built.world.bentoml("list", "-o", "json").good().stdout)
    assert {row["tag"] for row in theirs} == tags


def test_an_empty_store_is_listed(light: Project) -> None:
    assert light.run("list", "-o", "json").good().json == []
    assert light.run("list").good().stdout.split()[0] == "Tag"


def test_get_prints_one_line_however_long(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path / ("long" * 40), bentoml14)
    built = world.project("light", LIGHT)
    tag = built.run("-q", "-o", "tag").good().stdout.strip()
    for columns in ("40", "400"):
        path = built.run("get", tag, "-o", "path", env={"COLUMNS": columns}).good().stdout
        assert path == f"{world.home}/bentos/{tag.replace(':', '/')}\n" and len(path) > 200
    info = built.run("get", tag, "-o", "json").good().json
    assert info["name"] == "light" and f"{info['name']}:{info['version']}" == tag
    shown = built.run("get", tag).good().stdout
    assert shown == built.run("get", tag, "-o", "yaml").stdout
    assert yaml.safe_load(shown)["content_digest"] == info["content_digest"]


def test_get_by_name_latest_and_prefix(built: Project) -> None:
    first = built.run("-q", "-o", "tag").good().stdout.strip()
    built.run("build", "--version", "1.0", "-q").good()
    built.run("build", "--version", "1.1", "-q").good()

    def path(text: str) -> str:
        return built.run("get", text, "-o", "path").good().stdout.strip().removeprefix(f"{built.world.home}/bentos/")

    assert path("light") == path("light:latest") == "light/1.1"
    assert path(first[:-6]) == first.replace(":", "/")
    several = built.run("get", "light:1")
    assert several.code == 2 and "names several versions: 1.0, 1.1" in several.stderr
    nothing = built.run("get", "light:nope")
    assert nothing.code == 2 and f"hint: light has: 1.0, 1.1, {first.partition(':')[2]}" in nothing.stderr
    assert built.run("get", "heavy").code == 2


def test_delete(built: Project) -> None:
    first = built.run("-q", "-o", "tag").good().stdout.strip()
    for version in ("1.0", "1.1", "1.2"):
        built.run("build", "--version", version, "-q").good()
    unsure = built.run("delete", "light:1.0")
    assert unsure.code != 0 and "light:1.0" in built.world.bentos()
    assert built.run("delete", "-y", "light:1.2").good().stderr == 'Bento(tag="light:1.2") deleted\n'
    built.run("delete", "--yes", "light:1.0,light:1.1").good()
    assert built.world.bentos() == [first]
    assert built.world.latest("light") == first
    built.run("delete", "light", "-y").good()
    assert built.world.bentos() == [] and not (built.world.home / "bentos" / "light").exists()
    assert built.run("delete", "light", "-y").code == 2
    assert built.make().good().states["bento"] == "restored"


# The cache


def test_cache_stats(built: Project) -> None:
    lines = dict(line.split(None, 1) for line in built.run("cache", "stats").good().stdout.splitlines())
    assert lines["directory"] == str(built.world.cache)
    assert lines["action"].startswith(f"cache   {len(ALL)} traces, ")


def test_cache_verify_finds_what_is_damaged_and_the_next_build_mends_it(built: Project) -> None:
    sound = built.run("cache", "verify").good().stdout
    assert ", 0 were damaged; 0 traces were damaged" in sound
    tag = built.run("-q", "-o", "tag").good().stdout
    (blob,) = [path for path in blobs(built) if path.read_bytes() == LIGHT["data.txt"].encode()]
    st = blob.stat()
    flip(blob)
    os.utime(blob, ns=(st.st_atime_ns, st.st_mtime_ns))  # nothing but its bytes tells
    run = built.run("cache", "verify")
    assert run.code == 1
    assert ", 1 were damaged; 0 traces were damaged" in run.stdout and str(blob) in run.stderr
    again = built.make().good()
    assert again.tag == tag.strip() and "sources" in again.ran


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()  # it may be linked into a Bento, which stays as it is
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def blobs(project: Project) -> list[Path]:
    return [path for path in (project.world.cache / "blobs").rglob("*") if path.is_file()]


def test_cache_gc_keeps_what_fits(built: Project) -> None:
    assert built.run("cache", "gc").good().stdout.startswith("removed 0 traces and ")
    assert built.make().good().ran == set()
    tag = built.make().tag
    out = built.run("cache", "gc", "--limit", "0").good().stdout
    assert out.startswith(f"removed {len(ALL) - 1} traces and ")  # what `described` made is empty: it fits in nothing
    assert [path for path in blobs(built) if path.stat().st_size] == []
    again = built.make().good()
    assert again.tag == tag and again.ran == ALL - {"described"}
    wrong = built.run("cache", "gc", "--limit", "much")
    assert wrong.code == 2 and wrong.stderr.startswith("error: ")


def test_cache_clear_forgets_everything_and_leaves_bentos(built: Project) -> None:
    bentos = built.world.bentos()
    assert built.run("cache", "clear").code != 0, "without -y it asks"
    assert built.make().good().ran == set()
    assert built.run("cache", "clear", "-y").good().stdout == "the cache is empty\n"
    assert built.world.bentos() == bentos
    again = built.make().good()
    assert again.ran == ALL and [again.tag] == bentos


def test_the_cache_is_left_alone_while_a_build_uses_it(built: Project) -> None:
    with in_use(str(built.world.cache)):
        for command in (["gc", "--limit", "0"], ["clear", "-y"]):
            run = built.run("cache", *command)
            assert (run.code, run.stdout) == (1, "") and run.stderr.startswith("A build is running; nothing was ")
    assert built.make().good().ran == set()


def test_a_limit_that_is_no_size_is_said_before_anything_is_done(light: Project) -> None:
    for command in (["-o", "tag"], ["cache", "gc"]):
        run = light.run(*command, env={"BENTOMAKE_CACHE_LIMIT": "much"})
        assert run.code == 2 and run.stderr.startswith("error: BENTOMAKE_CACHE_LIMIT: 'much' is no size.\n")
    assert light.world.bentos() == []


@pytest.mark.parametrize("command", [["-f", "nosuch.yaml"], ["cache", "gc", "--limit", "much"]])
def test_a_cache_for_one_command_is_gone_after_a_mistake_too(command: list[str], light: Project) -> None:
    temporary = light.write("tmp/x", "").parent
    run = light.run(*command, env={"BENTOMAKE_CACHE_DIR": "/dev/null/x", "TMPDIR": str(temporary)})
    assert run.code == 2 and [path.name for path in temporary.iterdir()] == ["x"]


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, tmp_path: Path) -> None:
    script = World(tmp_path, None).run("completion", shell).good().stdout
    assert "_BENTOMAKE_COMPLETE" in script and f"{shell}_complete" in script


def test_bash_takes_the_script_and_completes(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    script = world.run("completion", "bash").good().stdout
    (tmp_path / "completion.sh").write_text(script)
    checked = subprocess.run(["bash", "-n", str(tmp_path / "completion.sh")], capture_output=True, text=True)
    assert checked.returncode == 0 and checked.stderr == ""

    def complete(*words: str) -> set[str]:
        env = {"_BENTOMAKE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        out = world.run(env=env).stdout
        return {line.partition(",")[2] for line in out.splitlines() if line.startswith("plain,")}

    assert complete("bentomake", "cach") == {"cache"}
    assert complete("bentomake", "cache", "") == {"stats", "gc", "verify", "export-wheels", "clear"}
    assert "--explain" in complete("bentomake", "build", "--exp")
    assert "--explain" in complete("bentomake", "--exp")
