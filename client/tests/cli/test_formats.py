"""Every print format gives back exactly what went in, by a reader that is not ours, or refuses by key."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import javaproperties
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from helicon.cli.exits import Failure
from helicon.cli.formats import WRITERS, render
from helicon.cli.names import Entry, Variable
from tests.cli.fake_apollo import DEADLINE_SECONDS

CORPUS = {
    "empty": "",
    "plain": "abc-1.2/3:4@5,6+7%8",
    "blanks": "  lead and trail \t",
    "only_blank": " ",
    "newline": "one\ntwo\n\nthree",
    "trailing_newlines": "x\n\n",
    "crlf": "one\r\ntwo\r\n",
    "lone_cr": "a\rb",
    "trailing_cr": "a\r",
    "single_quote": "it's",
    "only_quotes": "''\"\"``",
    "double_quote": 'say "x"',
    "backslashes": "\\ \\\\ \\n \\t c:\\dir\\",
    "dollar": "$HOME ${HOME} $(id) `id` $$ $'x'",
    "bang": "hey!! !$ #not a comment",
    "comment": "# not a comment",
    "yaml_traps": "no",
    "yaml_document": "--- \n- a: [b, {c: d}]\n...\n&a *a !tag %x",
    "number": "0123",
    "tilde": "~/x",
    "equals": "a=b=c",
    "control": "\x01\x07\x1b[31m\x7f",
    "c1_and_separators": "\x85\xa0\u2028\u2029\ufeff",
    "bom_first": "\ufeffx",
    "chinese": "配置中心",
    "emoji": "🙂👩\u200d🚀",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "nul": "a\0b",
    "lone_surrogate": "a\ud800b",
    "megabyte": "x" * 1024 * 1024,
    "long_lines": "y" * 60_000 + "\n" + "z" * 60_000,
    "all_that_shells_know": "it's \\ \\\\ \"x\" $HOME `id` \\n \\$ \\' end\\",
    "glob": "* ? [a-z] {a,b}",
    "json": '{"a": ["\\u0000", null], "b": "\\\\"}',
}

REFUSED = {
    "dotenv": {"nul", "lone_surrogate"},
    "export": {"nul", "lone_surrogate"},
    "json": set[str](),
    "yaml": {"lone_surrogate"},
    "docker": {
        "nul",
        "lone_surrogate",
        "newline",
        "trailing_newlines",
        "crlf",
        "trailing_cr",
        "yaml_document",
        "long_lines",
        "megabyte",
    },
    "k8s": {
        "nul",
        "lone_surrogate",
        "single_quote",
        "only_quotes",
        "dollar",
        "crlf",
        "megabyte",
        "all_that_shells_know",
    },
    "properties": {"nul", "lone_surrogate"},
}


def variable(value: str, name: str = "KEY") -> Variable:
    return Variable(name, Entry("the.key", value, "application"))


def by_shell(shell: str) -> Callable[[str, Path], dict[str, str]]:
    def read(text: str, folder: Path) -> dict[str, str]:
        file = folder / "file"
        file.write_bytes(text.encode())
        done = subprocess.run(
            [shell, "-c", 'set -a; . "$1"; env -0 > "$1.env"', shell, str(file)],
            env={"PATH": "/usr/bin:/bin"},
            check=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0
        pairs = [item.partition(b"=") for item in (folder / "file.env").read_bytes().split(b"\0") if item]
        return {name.decode(): value.decode() for name, _, value in pairs if name in (b"KEY", b"NO")}

    return read


def by_shell_without_environment(shell: str) -> Callable[[str, Path], dict[str, str]]:
    """The same for values that no environment can carry: printf is built into the shell."""

    def read(text: str, folder: Path) -> dict[str, str]:
        file = folder / "file"
        file.write_bytes(text.encode().replace(b"export ", b""))
        script = '. "$1"; printf %s "$KEY"'
        done = subprocess.run([shell, "-c", script, shell, str(file)], capture_output=True, check=True)
        return {"KEY": done.stdout.decode()}

    return read


def by_docker(text: str, _: Path) -> dict[str, str]:
    """The rules of docker's reader: lines without their CR, blank and # lines skipped, no quotes."""
    found = {}
    for line in text.encode().split(b"\n"):
        assert len(line) < 65536
        stripped = line.removesuffix(b"\r").lstrip()
        if stripped and not stripped.startswith(b"#"):
            name, equals, value = stripped.partition(b"=")
            assert equals
            found[name.decode()] = value.decode()
    return found


def by_kubelet(text: str, _: Path) -> dict[str, str]:
    """The rules of the kubelet's reader: NAME='...', literal, over several lines, each without its CR."""
    lines = [line.removesuffix(b"\r") for line in text.encode().removesuffix(b"\n").split(b"\n")]
    assert all(len(line) < 65536 for line in text.encode().split(b"\n"))
    found = {}
    while lines:
        name, equals, rest = lines.pop(0).lstrip(b" \t").partition(b"=")
        assert equals
        assert rest.startswith(b"'")
        rest = rest[1:]
        value = b""
        while b"'" not in rest:
            value += rest + b"\n"
            rest = lines.pop(0)
        inside, _quote, after = rest.partition(b"'")
        assert not after.strip(b" \t")
        found[name.decode()] = (value + inside).decode()
    return found


READERS: dict[str, list[Callable[[str, Path], dict[str, str]]]] = {
    "dotenv": [by_shell("bash"), by_shell("sh")],
    "export": [by_shell("bash"), by_shell("sh")],
    "json": [lambda text, _: json.loads(text)],
    "yaml": [lambda text, _: yaml.safe_load(text), lambda text, _: yaml.load(text, yaml.CSafeLoader)],
    "docker": [by_docker],
    "k8s": [by_kubelet],
    "properties": [lambda text, _: javaproperties.loads(text)],
}


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("form", WRITERS)
def test_render__hostile_value__comes_back_unchanged_or_is_refused_by_key(form: str, name: str, tmp_path: Path) -> None:
    value = CORPUS[name]
    variables = [variable(value), variable("neighbour", "NO")]
    if name in REFUSED[form]:
        with pytest.raises(Failure) as failure:
            render(variables, form)
        assert failure.value.exit_code == 78
        assert "'the.key' (application)" in failure.value.message
        assert len(failure.value.message) < 500
        return

    text = render(variables, form)

    readers = READERS[form]
    if name in ("megabyte", "long_lines") and form in ("dotenv", "export"):
        readers = [by_shell_without_environment("bash"), by_shell_without_environment("sh")]
    for read in readers:
        found = read(text, tmp_path)
        assert found["KEY"] == value
        assert found.get("NO", "neighbour") == "neighbour"


@pytest.mark.parametrize("form", ["json", "yaml", "properties", "docker", "k8s"])
@given(value=st.text(), name=st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]*\Z"))
def test_render__any_text__comes_back_unchanged_or_is_refused(form: str, value: str, name: str) -> None:
    try:
        text = render([variable(value, name)], form)
    except Failure:
        assert form != "json"
        return

    for read in READERS[form]:
        assert read(text, Path()) == {name: value}


@pytest.mark.parametrize("form", ["dotenv", "export"])
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_render__any_text__is_inert_in_a_shell(form: str, value: str) -> None:
    text = render([variable(value)], form)

    done = subprocess.run(["sh", "-c", text + 'printf %s "$KEY"'], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == value


@pytest.mark.parametrize("name", ["a.b", "1A", "A B", "名", "a;id"])
def test_render__name_a_shell_cannot_set__is_refused(name: str) -> None:
    for form in ("dotenv", "export"):
        with pytest.raises(Failure, match="variable name that a shell cannot set"):
            render([variable("x", name)], form)


@pytest.mark.parametrize("form", ["json", "yaml", "properties"])
@pytest.mark.parametrize("name", ["a.b", "1A", "A B", "名", "no", "a:b", "#x", "!y", "a'\"\\", "true"])
def test_render__raw_name__comes_back_in_formats_that_know_any(form: str, name: str, tmp_path: Path) -> None:
    text = render([variable("x", name)], form)

    for read in READERS[form]:
        assert read(text, tmp_path) == {name: "x"}


@pytest.mark.parametrize("name", ["A B", "#x", "a\tb"])
def test_render__name_the_reader_would_misread__is_refused(name: str) -> None:
    for form in ("docker", "k8s") if name != "A B" else ("docker",):
        with pytest.raises(Failure, match="variable name"):
            render([variable("x", name)], form)


@pytest.mark.parametrize("form", WRITERS)
def test_render__nothing__is_an_empty_document_of_the_format(form: str, tmp_path: Path) -> None:
    text = render([], form)

    if form in ("json", "yaml"):
        assert READERS[form][0](text, tmp_path) == {}
    else:
        assert text == ""
