"""A command that cannot begin ends with a message and a code, never with a traceback; for scripts with JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.command import Finished, manifest, videojob


@pytest.fixture
def in_the_way(tmp_path: Path) -> Path:
    """A place below a file: nothing can be made there."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "models"


def refused(done: Finished, reason: str, code: int) -> str:
    """Checks the JSON of a failure; returns its message."""
    assert (done.code, done.err) == (code, "")
    assert done.document["state"] == "Failed"
    assert done.document["error"]["reason"] == reason
    return str(done.document["error"]["message"])


def test_what_the_operating_system_refuses_is_a_message(in_the_way: Path) -> None:
    done = videojob("models", "build", "--repository", in_the_way)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"SetupIncomplete: the operating system refused: not a directory ({in_the_way}")
    assert done.err.count("\n") == 1


def test_what_the_operating_system_refuses_is_json_for_scripts(in_the_way: Path) -> None:
    done = videojob("models", "build", "--repository", in_the_way, "--json")
    assert refused(done, "SetupIncomplete", 1) == "the operating system refused: not a directory"


def test_a_manifest_with_problems_ends_a_run_with_2_and_validation_with_1(tmp_path: Path) -> None:
    job = manifest(tmp_path, "a.mp4", sampling={"everyNthFrame": 0}, agregation={})
    done = videojob("run", job, "--json")
    refused(done, "InvalidManifest", 2)
    fields = [problem["field"] for problem in done.document["problems"]]
    assert fields == ["spec.sampling.everyNthFrame", "spec.agregation"]
    checked = videojob("validate", job, "--json")
    assert checked.code == 1
    assert checked.document["problems"] == done.document["problems"]


@pytest.mark.parametrize("command", ["run", "results"])
def test_a_table_that_nobody_named_is_wrong_usage(command: str, tmp_path: Path) -> None:
    subject = manifest(tmp_path, "a.mp4") if command == "run" else "job"
    done = videojob(command, subject, "--sink", "dynamodb", "--output", tmp_path / "out")
    assert done.code == 2
    assert done.err.startswith("InvalidUsage: --sink dynamodb needs a table. ")
    assert not (tmp_path / "out").exists()


def test_a_wrong_option_is_json_for_scripts(tmp_path: Path) -> None:
    done = videojob("run", manifest(tmp_path, "a.mp4"), "--workers", "0", "--json")
    assert "'--workers'" in refused(done, "InvalidUsage", 2)


def test_a_wrong_option_is_told_to_a_person_by_its_name(tmp_path: Path) -> None:
    done = videojob("run", manifest(tmp_path, "a.mp4"), "--wrkers", "1")
    assert (done.code, done.out) == (2, "")
    assert "--wrkers" in done.err
