# SPDX-License-Identifier: Apache-2.0
"""Goal: the documents say what is so: links lead somewhere, configurations are accepted, and the
tables of keys, errors and metrics are the program's."""

import re
import subprocess
import sys
from pathlib import Path

import markdown
import pytest
import yaml
from fakes.sidekey import ROOT, run

pytestmark = pytest.mark.once
DOCUMENTS = markdown.documents()
DOCS = ROOT / "docs"
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def configurations() -> list[tuple[str, str]]:
    """Every block of YAML that is a configuration of sidekey's, with its document."""
    found = []
    for name, path in zip(NAMES, DOCUMENTS, strict=True):
        for block in markdown.blocks(path.read_text(), "yaml"):
            if "targets" in (yaml.safe_load(block) or {}):
                found.append((name, block))
    return found


CONFIGURATIONS = configurations()


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(path: Path, record_property) -> None:
    wrong = []
    for link in markdown.links(path.read_text()):
        if link.startswith(("http://", "https://")):
            record_property("not asked for", link)
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            wrong.append(f"{link}: there is no such file")
        elif anchor and anchor not in markdown.anchors(target.read_text()):
            wrong.append(f"{link}: there is no such heading")
    assert wrong == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_files_that_are_named_exist(path: Path) -> None:
    assert [
        name
        for name in markdown.sources(path.read_text())
        if not any((place / name).exists() for place in (ROOT, ROOT / "sidecar", path.parent))
    ] == []


def test_a_wrong_link_would_be_seen() -> None:
    text = "# One `two`\n[a](b.md#c)\n`[no](link)`\n```sh\n[no](link)\n# no\n```\n"
    assert markdown.links(text) == ["b.md#c"]
    assert markdown.anchors(text) == {"one-two"}
    assert markdown.sources("a `b/c.c` and `d.c`, `e/f.py --g`") == ["b/c.c", "e/f.py"]


@pytest.mark.parametrize(
    ("name", "block"), CONFIGURATIONS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CONFIGURATIONS)]
)
def test_configurations_are_accepted(tmp_path: Path, name: str, block: str) -> None:
    path = tmp_path / "sidekey.yaml"
    path.write_text(block)
    env = {
        "HOME": str(tmp_path),
        "CREDENTIALS_DIRECTORY": "/run/credentials/sidekey.service",
        "SIDEKEY_EXTERNAL_ID": "any",
    }
    done = run("check", "-c", str(path), env=env)
    assert done.returncode == 0, f"{name}\n{done.stdout}"


def test_there_are_configurations() -> None:
    assert {"README.md", "docs/eks.md", "docs/ecs.md", "docs/laptop.md"} <= dict(CONFIGURATIONS).keys()


def test_the_reference_is_the_table() -> None:
    schema = run("check", "--schema")
    assert schema.returncode == 0
    command = [sys.executable, str(ROOT / "deploy" / "reference.py")]
    made = subprocess.run(command, input=schema.stdout, capture_output=True, text=True, check=True)
    assert made.stdout == (DOCS / "configuration.md").read_text(), "run make docs"


def verdicts() -> dict[str, tuple[str, str, str]]:
    """Status, status to AWS's clients and whether a retry helps, of each code."""
    text = (ROOT / "policy" / "access" / "verdict.c").read_text()
    rows = re.findall(
        r'\{\{"(\w+)",\s*(\d+),\s*(true|false),(?:[^"{}]|"[^"]*")*?\},\s*(\d+),', text
    )
    return {c: (s, aws, "yes" if retry == "true" else "no") for c, s, retry, aws in rows}


def test_errors_are_the_program_s() -> None:
    text = (DOCS / "errors.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(#\1\) \| (\d+) \| (\d+) \| (yes|no) \|$", text, re.MULTILINE)
    assert {code: rest for code, *rest in rows} == {c: list(v) for c, v in verdicts().items()}
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [row[0] for row in rows]
    header = (ROOT / "policy" / "access" / "verdict.h").read_text()
    assert len(rows) == len(re.findall(r"^\tVERDICT_(?!OK)\w+,", header, re.MULTILINE))


def test_metrics_are_the_program_s() -> None:
    source = (ROOT / "sidecar" / "ingress" / "expose.c").read_text()
    names = set(re.findall(r'(?:family\(b, |= \{)"(\w+)"', source))
    text = (DOCS / "operations.md").read_text()
    assert set(re.findall(r"^\| `(\w+_\w+)` \|", text, re.MULTILINE)) == names
    kinds = (ROOT / "sidecar" / "ingress" / "metrics.c").read_text()
    for kind in re.findall(r'\[UPSTREAM_\w+\] = \{VERDICT\w+, "(\w+)"\}', kinds):
        assert f"`{kind}`" in text


def test_states_of_a_secret_are_the_program_s() -> None:
    source = (ROOT / "sidecar" / "box" / "msg.c").read_text()
    states = re.search(r"slot_states\[SLOT_STATES\] = \{[^}]*", source)[0]
    table = (DOCS / "operations.md").read_text().split("## States of a secret")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == ["fresh", "stale", "missing"]
    assert set(re.findall(r'"(\w+)"', states)) == set(named)


def test_what_the_documents_say_of_the_log_is_in_the_program() -> None:
    said = "".join(p.read_text() for p in (ROOT / "sidecar").rglob("*.c"))
    said = re.sub(r'"\s*"', "", said)
    text = (DOCS / "operations.md").read_text() + (DOCS / "errors.md").read_text()
    lines = set(re.findall(r"`(a secret [\w ]+|no [A-Za-z ]+|refused [\w ]+)`", text))
    assert len(lines) == 3
    assert [line for line in lines if f'"{line}"' not in said] == []
    types = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", (DOCS / "errors.md").read_text()))
    assert len(types) > 10 and [t for t in types if f'"{t}"' not in said] == []
