"""Everything that can end a command early, told the same way: one message, or one JSON document, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer
from typer.core import TyperGroup

from videojob.api.loading.problems import ManifestProblems
from videojob.cli.exit_codes import ExitCode
from videojob.cli.terminal import console, tell, write_json
from videojob.errors import Cancelled, ManifestError, SetupError, UsageError, VideoJobError
from videojob.printable import printable

# typer does not export the base of all its usage errors; this is it, whichever module it lives in.
_UsageProblem = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])
_OTHER_PLACE = "Give this user the right to it, or choose another place with --output."
_MORE_SPACE = "Make room there, or choose another place with --output."
_HINTS = {
    errno.EACCES: _OTHER_PLACE,
    errno.EPERM: _OTHER_PLACE,
    errno.EROFS: "Choose a place that can be written to with --output.",
    errno.ENOSPC: _MORE_SPACE,
    errno.EDQUOT: _MORE_SPACE,
    errno.ENOENT: "Check the path.",
    errno.EEXIST: "A file stands where a folder is needed: move it, or choose another place with --output.",
    errno.ENOTDIR: "A file stands where a folder is needed: move it, or choose another place with --output.",
    errno.EISDIR: "A folder stands where a file is needed: move it, or choose another place.",
    errno.ENAMETOOLONG: "Choose a shorter name or path.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or use fewer --workers.",
    errno.ENFILE: "Close other programs: this machine has no more open files to give.",
    errno.ENOMEM: "Free memory, or use fewer --workers.",
    errno.EAGAIN: "Raise the limit of processes (ulimit -u), or use fewer --workers.",
}


class Commands(TyperGroup):
    """Tells wrong options as JSON, too, when JSON was asked for; without it typer's own words stay."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            UsageError: --json is among the arguments and an option or argument is wrong.
        """
        try:
            return super().invoke(ctx)
        except _UsageProblem as problem:
            if not is_json_requested(sys.argv):
                raise
            words = problem.format_message().rstrip(".")
            raise UsageError(words, hint="The command's --help lists its options.") from problem


def is_json_requested(arguments: Sequence[str]) -> bool:
    """Whether a script is listening."""
    return "--json" in arguments


def exit_code(error: VideoJobError) -> ExitCode:
    """What a script sees of an error."""
    if isinstance(error, ManifestError | UsageError):
        return ExitCode.USAGE
    return ExitCode.INTERRUPTED if isinstance(error, Cancelled) else ExitCode.FAILED


def setup_error(error: OSError) -> SetupError:
    """What the operating system refused, with the file and what to do about it."""
    names: tuple[object, object] = (error.filename, error.filename2)  # an open file's number, at times
    paths = [os.fsdecode(name) for name in names if isinstance(name, str | bytes | os.PathLike)]
    words = error.strerror or str(error) or type(error).__name__
    code = error.errno or 0
    return SetupError(
        f"the operating system refused: {words[0].lower()}{words[1:]}",
        uri=" -> ".join(map(printable, paths)) or None,
        hint=_HINTS.get(code, ""),
        retryable=code in {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE},
    )


def failure_document(error: VideoJobError) -> dict[str, Any]:
    """The JSON of a command that could not begin; a manifest's problems are those that `videojob validate` lists."""
    document: dict[str, Any] = {"state": "Failed", "error": error.as_shown()}
    if isinstance(error, ManifestProblems):
        document["problems"] = [problem.as_dict() for problem in error.problems]
    return document


def tell_failure(error: VideoJobError, arguments: Sequence[str]) -> None:
    """To standard output as JSON when a script listens, else to standard error."""
    if is_json_requested(arguments):
        write_json(failure_document(error))
    else:
        tell(console(stderr=True), str(error), "red")
