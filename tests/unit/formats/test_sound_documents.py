"""What must pass: blank text, everything that the formats allow, and files from real projects."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml as pyyaml

from helicon_server.domain.formats import Format, check, yaml

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
FILES = sorted(path for path in SAMPLES.glob("*/*") if path.is_file()) or [SAMPLES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_check__real_file__is_sound(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"the folder of sample files is missing: {path.parent.name}/{path.name}")
    format_ = Format.PROPERTIES if path.suffix == ".env" else Format.of_namespace(path.name)
    text = path.read_bytes().decode("utf-8")
    assert check(format_, text) == []
    if format_ in (Format.YAML, Format.YML):
        assert yaml.check(text, pyyaml.SafeLoader) == []


@pytest.mark.parametrize("format_", list(Format))
@pytest.mark.parametrize("text", ["", " ", "\n", "\t\r\n \n"])
def test_check__blank_text__is_sound_in_every_format(format_: Format, text: str) -> None:
    assert check(format_, text) == []


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        (Format.TXT, "\ufeffanything: [ < {\r\n\t中😀\u2028"),
        (Format.JSON, ' {"a":[{"b":1},{"b":2}],"c":{"a":-0.5e+10},"😀":"\\ud83d\\n\\u0000","A":null}\r\n'),
        (Format.JSON, '"scalar"'),
        (Format.JSON, "[" * 100 + "]" * 100),
        (Format.YAML, "\ufeffa: 1\n---\na: 2\n...\n"),
        (Format.YAML, "x: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}\nz:\n  <<: [*x, {c: 1}]\n  <<: *x\n  a: 4\n"),
        (Format.YAML, "'<<': text\n"),
        (Format.YAML, "a: !!str 1\nb: !!int '2'\nc: !!seq []\nd: !!map {}\ne: !!null ''\nf: ! g"),
        (Format.YAML, "a: &a 1\nb: *a\nc: &a 2\nd: *a"),
        (Format.YAML, "%YAML 1.2\n---\na: ${X:\"y\"}\n# 注释\nb: 'it''s: #1'\n"),
        (Format.YAML, "[" * 100 + "]" * 100),
        (Format.YAML, "a: &a x\n" + "b: [" + ", ".join(["*a"] * 5000) + "]"),
        (Format.YML, "a:\n- b\n- c: |\n    a: 1\n    a: 2\n"),
        (Format.XML, "\ufeff<?xml version='1.0' encoding='GBK'?><中 a='1'>&#160;&amp;<![CDATA[&x;]]></中>"),
        (Format.XML, "<!DOCTYPE properties SYSTEM 'http://127.0.0.1:9/properties.dtd'><properties/>"),
        (Format.XML, "<!DOCTYPE a [<!ELEMENT a ANY><!ATTLIST a x CDATA 'y'>]><a/>"),
        (Format.XML, "<a>" * 100 + "</a>" * 100),
        (Format.PROPERTIES, "# 注释 a=1\na=1\n\n b.c : x\\\n  y\n网关=\\u4e2d\n!a=1"),
    ],
)
def test_check__sound_document__has_no_problem(format_: Format, text: str) -> None:
    assert check(format_, text) == []


@pytest.mark.parametrize("loader", [yaml.Loader, pyyaml.SafeLoader])
def test_yaml__either_loader__finds_the_same_place(loader: type) -> None:
    """Where PyYAML comes without libyaml, the marks must be as exact."""
    text = "\ufeffa: '😀\r\n\r\n x'\r\n中: &k {b: 1}\r\nc: {<<: *k, b: 1, b: 2}\r\n"
    assert [(problem.code, problem.line, problem.column) for problem in yaml.check(text, loader)] == [
        ("yaml_duplicate_key", 5, 19)
    ]
