"""What a reader copies from examples/, README and docs/ is accepted, and every relative link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from support.tree import ROOT
from videojob.api.loading.load import load_manifests, parse_manifests
from videojob.reasons import REASONS, Phase

HEADER = "apiVersion: videojob.dev"
_FENCE = re.compile(r"^ {0,3}(`{3,})([^\n`]*)\n(.*?)^ {0,3}\1`*[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_INLINE_CODE = re.compile(r"(`+)[^`\n].*?\1")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shown_manifests() -> Iterator[tuple[str, str]]:
    """(page and number of the manifest in it, text) of every fenced YAML block that is a VideoJob."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        blocks = [body for _, kind, body in _FENCE.findall(text) if kind.strip() in {"yaml", "yml"}]
        manifests = [body for body in blocks if HEADER in body]
        yield from ((f"{name_of(page)}#{number}", body) for number, body in enumerate(manifests, 1))


def shown_commands(text: str) -> list[str]:
    """Every command behind a `$` in a fenced block, continued lines joined."""
    blocks = "\n".join(body for _, _, body in _FENCE.findall(text)).replace("\\\n", " ")
    return [line.removeprefix("$ ").strip() for line in blocks.splitlines() if line.startswith("$ ")]


def prose(text: str) -> str:
    """The page without code, in which brackets are no links."""
    return _INLINE_CODE.sub("", _FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Names of a page's headings as forges make them: lower case, no punctuation, hyphens for spaces."""
    found: dict[str, int] = {}
    names = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in _LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file, _, anchor = target.partition("#")
        place = page if not file else page.parent / unquote(file)
        if not place.exists() or (anchor and anchor not in anchors(place.read_text(encoding="utf-8"))):
            broken.append(target)
    return broken


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_valid_manifest(path: Path) -> None:
    assert load_manifests(path)


def test_examples_have_different_names() -> None:
    names = [job.metadata.name for path in (ROOT / "examples").glob("*.yaml") for job in load_manifests(path)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("place", "text"), [pytest.param(*shown, id=shown[0]) for shown in shown_manifests()])
def test_every_manifest_shown_in_the_documentation_is_valid(place: str, text: str) -> None:
    assert parse_manifests(text, place)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_command_shown_has_only_options_and_targets_that_exist(page: Path) -> None:
    commands = shown_commands(page.read_text(encoding="utf-8"))
    known = set(re.findall(r"`(?:-\w, )?(--[a-z-]+)", (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")))
    options = {
        option for line in commands if line.startswith("videojob ") for option in re.findall(r"(?<=\s)--[a-z-]+", line)
    }
    words = [word for line in commands if line.startswith("make ") for word in line.partition("#")[0].split()[1:]]
    targets = {word for word in words if "=" not in word}
    made = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert (options - known, targets - made) == (set(), set())


def test_every_file_that_the_contributing_guide_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Where do I change what")[1]
    named = set(re.findall(r"`((?:[\w.-]+/)+[\w.*-]*|\w+\.py)`", text)) - {"operator/"}
    assert len(named) > 50
    places = (ROOT, ROOT / "operator/src/videojob", ROOT / "charts/videojob")
    found = {
        name
        for name in named
        if any(any(place.rglob(name) if "/" not in name else place.glob(name.rstrip("/"))) for place in places[1:])
        or any(ROOT.glob(name.rstrip("/")))
    }
    assert named - found == set()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_fence_is_closed(page: Path) -> None:
    fences = re.findall(r"^ {0,3}`{3,}", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) % 2 == 0


def test_troubleshooting_has_a_place_for_every_way_to_end() -> None:
    text = (ROOT / "docs/guides/troubleshooting.md").read_text(encoding="utf-8")
    ends = {info.word for info in REASONS.values() if info.phase is Phase.FAILED}
    headings = set(re.findall(r"^## ([A-Z]\w+)$", text, re.MULTILINE))
    assert {word for word in ends - headings if f"`{word}`" not in text} == set()
    assert headings - set(REASONS) == set()
    assert sorted(headings) == re.findall(r"^## ([A-Z]\w+)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[here](there.md)", ["there.md"]),
        ("[a](here.md) and [b](there.md#x)", ["there.md#x"]),
        ("[far](https://example.org/x.md) [mail](mailto:a@example.org)", []),
        ("`[code](there.md)`", []),
        ("```\n[code](there.md)\n```\n", []),
        ("# A heading: `x`\n[up](#a-heading-x) [no](#nothing)", ["#nothing"]),
        ('![picture](there.png "with a title")', ["there.png"]),
    ],
)
def test_broken_links_are_found(tmp_path: Path, text: str, expected: list[str]) -> None:
    page = tmp_path / "here.md"
    page.write_text(text)
    assert broken_links(page) == expected
