"""However a command ends early, it ends with a message, what to do, and an exit code."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from videojob.api.loading.problems import ManifestProblem, ManifestProblems
from videojob.cli.exit_codes import ExitCode
from videojob.cli.failures import exit_code, failure_document, setup_error, tell_failure
from videojob.cli.laptop.validate import validate_files
from videojob.errors import (
    Cancelled,
    InputNotFound,
    ManifestError,
    ServerUnavailable,
    SetupError,
    UsageError,
    VideoJobError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ManifestError("bad"), ExitCode.USAGE),
        (ManifestProblems([ManifestProblem("a.yaml", 1, 1, "", "bad")]), ExitCode.USAGE),
        (UsageError("no table"), ExitCode.USAGE),
        (SetupError("no disk"), ExitCode.FAILED),
        (ServerUnavailable("away"), ExitCode.FAILED),
        (Cancelled("stop"), ExitCode.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, VideoJobError) else "",
)
def test_exit_codes_tell_errors_apart(error: VideoJobError, code: ExitCode) -> None:
    assert exit_code(error) is code


def test_validate_ends_with_1_for_what_is_not_valid(tmp_path: Path) -> None:
    assert validate_files([tmp_path / "missing.yaml"]).exit_code == ExitCode.FAILED
    assert validate_files([]).exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("code", "does"),
    [
        (errno.EACCES, "the right to it"),
        (errno.EROFS, "--output"),
        (errno.ENOSPC, "Make room"),
        (errno.ENOTDIR, "A file stands where a folder is needed"),
        (errno.ENAMETOOLONG, "shorter"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOMEM, "--workers"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_what_the_operating_system_refuses_is_told_with_the_file_and_what_to_do(code: int, does: str) -> None:
    error = setup_error(OSError(code, os.strerror(code), "/place/file"))
    assert error.uri == "/place/file"
    assert does in error.hint
    assert error.message == f"the operating system refused: {os.strerror(code)[0].lower()}{os.strerror(code)[1:]}"


@pytest.mark.parametrize(
    ("error", "uri"),
    [
        (OSError("no number"), None),
        (OSError(), None),
        (OSError(errno.EBADF, "Bad file descriptor", 7), None),
        (FileExistsError(errno.EEXIST, "File exists", Path("a"), None, "b"), "a -> b"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", b"caf\xe9"), r"caf\xe9"),
        (TimeoutError("timed out"), None),
    ],
    ids=["without number", "empty", "descriptor", "two files", "bytes", "no file"],
)
def test_every_kind_of_os_error_becomes_a_message(error: OSError, uri: str | None) -> None:
    found = setup_error(error)
    assert found.uri == uri
    assert found.message.startswith("the operating system refused: ")
    assert json.dumps(failure_document(found))


@pytest.mark.parametrize(("code", "helps"), [(errno.EMFILE, True), (errno.ENOMEM, True), (errno.EACCES, False)])
def test_a_retry_helps_where_something_has_run_short(code: int, helps: bool) -> None:
    assert setup_error(OSError(code, os.strerror(code))).retryable is helps


def test_the_json_of_a_bad_manifest_lists_every_problem() -> None:
    problems = [
        ManifestProblem("a.yaml", 3, 5, "spec.model", "is missing", "Add it."),
        ManifestProblem("a.yaml", 9, 1, "", "x"),
    ]
    document = failure_document(ManifestProblems(problems))
    assert document["state"] == "Failed"
    assert document["error"]["reason"] == "InvalidManifest"
    assert document["problems"] == [problem.as_dict() for problem in problems]


def test_a_script_gets_the_failure_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    tell_failure(InputNotFound("gone", uri="clip:fire:\x1b"), ["videojob", "run", "--json"])
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["error"]["uri"] == "clip:fire:\x1b"
    assert "\x1b" not in shown.out


def test_a_person_gets_the_failure_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    tell_failure(InputNotFound("gone", uri="clip[/x]:fire:\x1b", hint="Look."), ["videojob", "run"])
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "InputNotFound: gone (clip[/x]:fire:\\x1b). Look. (not retryable)\n"
