"""A Dockerfile with the keys of its secrets: the same lines, and other ones only where such a secret is mounted."""

from __future__ import annotations

from bentomake.container.keyed_secrets import keyed, plain

DOCKERFILE = """\
FROM scratch
RUN --mount=type=secret,id=netrc --mount=type=secret,id=TOKEN pip install -r requirements.txt
run --mount=type=secret,id=aws,target=/root/.aws/credentials \\
    --mount=type=secret,id=TOKEN <<END
echo RUN
END
RUN --mount=type=secret,id=other true
RUN true
"""


def changed(keys: dict[str, str]) -> list[int]:
    pairs = zip(DOCKERFILE.splitlines(), keyed(DOCKERFILE, keys).splitlines(), strict=True)
    return [number for number, (before, after) in enumerate(pairs, 1) if before != after]


def test_only_what_mounts_a_secret_of_which_there_is_a_key_is_another_line() -> None:
    assert changed({}) == changed({"elsewhere": "1"}) == []
    assert changed({"aws": "1"}) == changed({"TOKEN": "1"}) == [3]  # what installs the lock mounts netrc, too
    assert changed({"aws": "1", "other": "2"}) == [3, 7]
    assert changed({"netrc": "1"}) == []


def test_another_key_is_another_line_and_a_log_shows_neither() -> None:
    one, two = (keyed(DOCKERFILE, {"aws": key}) for key in ("1", "2"))
    assert one != two and one == keyed(DOCKERFILE, {"aws": "1", "elsewhere": "3"})
    assert plain(one) == plain(two) == DOCKERFILE
