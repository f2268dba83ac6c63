"""The lint of texts and names finds each phrase that its table rejects, and lets innocent prose and names pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tools.wording.__main__ import findings, tracked_files
from tools.wording.table import RejectedPhrase, read_table
from tools.wording.texts import Name, prose_texts, python_names, python_texts

from support.tree import ROOT

TABLE = read_table()
FOUND = [(row, text) for row in TABLE.phrases for text in row.found]
PASSES = [(row, text) for row in TABLE.phrases for text in row.passes]
INNOCENT = """\
Look at the picture on the wall, and look it up once you are back: the job ran again, he told his friend, and it went on
for an hour. People want what they have seen. The cake was made by hand, and nobody was hurt. A controller reconciles
and requeues; pods are evicted, segments are retried, and the server is restarted. Troubleshooting starts with the
reason in the status. He went away, came back again, and said a few words about the weather. The documents stand side by
side, the door is locked, the band plays on, and the newest release is better. A newspaper is held in his hand. Frames
add up.
"""
SOURCE = '''\
"""One look at one job."""


def let_go(wants_gpu: bool) -> str:
    # Nobody makes a node
    # for it, so it goes away.
    told = f"{wants_gpu} was asked for"
    return told
'''


@pytest.mark.parametrize(("row", "text"), FOUND, ids=[text for _, text in FOUND])
def test_a_rejected_phrase_is_found(row: RejectedPhrase, text: str) -> None:
    assert row.pattern.search(text)


@pytest.mark.parametrize(("row", "text"), PASSES, ids=[text for _, text in PASSES])
def test_a_similar_phrase_passes(row: RejectedPhrase, text: str) -> None:
    assert not row.pattern.search(text)


def test_each_row_has_an_example_and_something_to_say_instead() -> None:
    assert all(row.found and row.passes and row.say for row in TABLE.phrases)
    assert all(row.words and row.say for row in TABLE.names)


def test_innocent_prose_passes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(INNOCENT)
    assert list(findings(page, TABLE)) == []


def test_python_is_read_by_its_literals_comments_and_names(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text(SOURCE)
    found = [line.removeprefix(f"{file}:") for line in findings(file, TABLE)]
    assert [(line.split(":")[0], line.split('"')[1]) for line in found] == [
        ("1", "One look"),
        ("7", "… was asked for"),
        ("5", "makes a node"),
        ("4", "let_go"),
        ("4", "wants"),
        ("7", "told"),
    ]


def test_texts_of_a_wrapped_paragraph_are_one() -> None:
    assert [one.text for one in prose_texts("# Looks at\n# jobs\n\nnext")] == ["Looks at jobs", "next"]
    assert [one.text for one in python_texts('X = ("one "\n"two")  # three\n# four\n')] == ["one two", "three four"]


def test_names_are_split_into_words() -> None:
    assert Name(1, "LetGo").words == Name(1, "let_go").words == ("let", "go")
    assert [one.name for one in python_names("import a as b\nfor c, d.e in f: pass\n")] == ["b", "c", "e"]


def test_of_some_folders_the_texts_are_read_and_no_names(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text('wanted = "One look."\n')
    everything = list(findings(file, TABLE))
    texts = list(findings(file, replace(TABLE, names_not_read=(tmp_path,))))
    assert [len(everything), len(texts)] == [2, 1]
    assert "One look" in texts[0]


def test_the_lint_reads_tests_and_measurements_but_not_its_own_examples() -> None:
    read = {path.relative_to(ROOT).parts[0] for path in tracked_files(TABLE)}
    assert {"tests", "bench", "operator", "docs"} <= read
    assert Path(__file__) not in tracked_files(TABLE)
