"""Symbolic links that lead out of the build context: no option follows one, and `include` does not in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness import LIGHT_SERVICE, Project, World

START = 'service: "service:Light"\n'
SECRET = "FROM hunter2\n"
OPTIONS = {
    "description": "description: 'file:{}'\n",
    "docker.setup_script": "docker: {{setup_script: '{}'}}\n",
    "docker.dockerfile_template": "docker: {{dockerfile_template: '{}'}}\n",
    "docker.env": "docker: {{env: '{}'}}\n",
    "python.wheels[0]": "python: {{wheels: ['{}']}}\n",
    "conda.environment_yml": "conda: {{environment_yml: '{}'}}\n",
}
HINT = "hint: Replace the link by a copy of what it leads to."


def hostile(tmp_path: Path, bentofile: str, python: str | None = None, **links: str) -> Project:
    """A project with links; `{}` in a link's text is the directory that the context lies in, where `secret` is."""
    (tmp_path / "secret").write_text(SECRET)
    project = World(tmp_path, python).project("hostile", {"service.py": LIGHT_SERVICE, "bentofile.yaml": bentofile})
    for name, text in links.items():
        (project / name).symlink_to(text.format(tmp_path))
    return project


@pytest.mark.parametrize("text", ["{}/secret", "../secret", "../directory/secret", "via/secret"])
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_follows_a_link_out_of_the_context(option: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "directory").symlink_to(tmp_path)
    project = hostile(tmp_path, START + OPTIONS[option].format("link"), link=text, via="..")
    run = project.run("check")
    assert run.code == 2
    said = f"bentofile.yaml:2: {option} names link, which leads to {tmp_path}/secret, outside of the build context."
    assert said in " ".join(run.stderr.split()), run.stderr
    assert HINT in " ".join(run.stderr.split())
    assert "hunter2" not in run.stderr


@pytest.mark.parametrize("path", ["via/secret", "via/directory/secret"])
def test_nor_a_directory_that_is_a_link(path: str, tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "secret").write_text(SECRET)
    run = hostile(tmp_path, START + OPTIONS["docker.env"].format(path), via="..").run("check")
    assert run.code == 2
    assert f"docker.env names {path}, which leads to {tmp_path}/{path[4:]}" in " ".join(run.stderr.split())


def test_a_link_within_the_context_is_as_good_as_its_file(tmp_path: Path) -> None:
    bentofile = START + "docker: {setup_script: short, env: 'in/a.env'}\ndescription: 'file:absolute'\n"
    links = {"short": "run.sh", "in": "inner", "absolute": "{}/hostile/READ.md"}
    project = hostile(tmp_path, bentofile, **links)
    for path, text in (("run.sh", "#!/bin/sh\n"), ("inner/a.env", "A=1\n"), ("READ.md", "x\n")):
        project.write(path, text)
    run = project.run("check")
    assert "outside of the build context" not in run.stderr and "out of the build context" not in run.stderr


def test_a_requirements_file_may_lie_further_up_but_an_absolute_link_is_as_an_absolute_path(tmp_path: Path) -> None:
    bentofile = START + "python: {requirements_txt: link}\n"
    (tmp_path / "r.txt").write_text("idna\n")
    relative = hostile(tmp_path, bentofile, link="../r.txt").run("check")
    assert "outside of the build context" not in relative.stderr
    (tmp_path / "hostile" / "link").unlink()
    run = hostile(tmp_path, bentofile, link="{}/secret").run("check")
    assert run.code == 2
    said = f"bentofile.yaml:2: python.requirements_txt names link, which leads to {tmp_path}/secret, outside of"
    assert said in " ".join(run.stderr.split())


@pytest.mark.real
def test_what_only_a_recipe_reads_does_not_leave_either(bentoml14: str, tmp_path: Path) -> None:
    """Files that a template includes and that a requirements file names; the wheels of a pattern."""
    project = hostile(tmp_path, START, bentoml14, link="{}/secret")
    project.write("t.j2", "FROM x\n{% include 'link' %}\n")
    project.write("r.txt", "idna\n-r link\n")
    (project / "a-1-py3-none-any.whl").symlink_to("../secret")
    for bentofile, place, named in (
        ("docker: {dockerfile_template: t.j2}\n", "t.j2", "The template names link"),
        ("python: {requirements_txt: r.txt}\n", "r.txt:2", "python.requirements_txt names link"),
        ("python: {wheels: ['*.whl']}\n", "bentofile.yaml:2", "python.wheels names a-1-py3-none-any.whl"),
        ("python: {packages: [./a-1-py3-none-any.whl]}\n", "bentofile.yaml:2", "A requirement names a-1-py3"),
    ):
        project.write("bentofile.yaml", START + bentofile)
        for command in ("check", "build"):
            run = project.run(command)
            assert run.code == 2, (command, bentofile, run.stderr)
            told = " ".join(run.stderr.split())
            assert f"{place}: {named}" in told and f"which leads to {tmp_path}/secret, outside" in told, told
            assert HINT in told and "hunter2" not in told


@pytest.mark.real
def test_a_packed_link_out_of_the_context_is_said_once(bentoml14: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in "abcdef":
        (outside / name).write_text(name)
    links = {"a": "../outside/a", "b": "{}/outside/b", "dir": "../outside", "e": "../outside/e", "own": "service.py"}
    project = hostile(tmp_path, START + "include: ['*']\n", bentoml14, **links)
    run = project.run("check")
    told = " ".join(run.stderr.split())
    assert run.code == 0
    assert (
        "bentofile.yaml:2: 4 links lead out of the build context, and what is there is packed: "
        f"a → {outside}/a, b → {outside}/b, dir → {outside} and 1 more." in told
    )
    assert "hint: Leave it out with `exclude`, or replace the link by a copy to say it is meant." in told
    assert told.count("out of the build context") == 1
    assert project.run("check", "--strict").code == 2
    project.write("bentofile.yaml", START + "include: ['*']\nexclude: [a, b, dir/, e]\n")
    assert project.run("check", "--strict").good().stderr.strip() == "no errors, no warnings"


@pytest.mark.real
def test_a_readme_that_leads_out_is_taken_with_a_word(bentoml14: str, tmp_path: Path) -> None:
    bentofile = START + "include: ['service.py']\npython: {lock_packages: false}\n"
    project = hostile(tmp_path, bentofile, bentoml14, **{"README.md": "../secret"})
    run = project.run("build").good()
    said = (
        f"README.md leads to {tmp_path}/secret, outside of the build context; its content is packed as the Bento's own."
    )
    assert said in " ".join(run.stderr.split())
    assert os.path.islink(project / "README.md")
