"""What a decoder may say is wrong: what a video's bytes can be guilty of, and nothing about the job."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

from videojob import errors, media
from videojob.errors import InputCorrupt, InputError, VideoJobError
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.lines import CHILD_ERRORS, NotItsToSay, error_from_message

URI = "s3://bucket/video.mp4"
PARENTS_MODULES = {"child", "decoder", "pages", "probe", "protocol", "ring", "rings", "landlock", "sandbox"}
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, VideoJobError)]


def values(reason: str, **changes: Any) -> dict[str, Any]:
    return {"reason": reason, "message": "words", "uri": URI, "segment": 4, "time_ms": 40, "retryable": False} | changes


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_errors_of_inputs_that_a_decoder_can_find_are_taken(kind: type[VideoJobError]) -> None:
    if kind in CHILD_ERRORS:
        error = error_from_message(values(kind.reason), URI)
        assert type(error) is kind
        assert (error.message, error.time_ms) == ("words", 40)
    else:
        with pytest.raises(NotItsToSay, match=f"^{kind.reason}: words$"):
            error_from_message(values(kind.reason), URI)


def test_errors_of_fetching_and_of_the_job_are_not_among_them() -> None:
    assert all(issubclass(kind, InputError) for kind in CHILD_ERRORS)
    theirs = {kind.reason for kind in CHILD_ERRORS}
    assert not theirs & {"Cancelled", "StaleEpoch", "InputChanged", "InputTooLarge", "InputAddressForbidden"}


def test_whatever_the_decoders_modules_raise_is_among_them() -> None:
    folder = Path(media.__file__).parent
    named = {
        name.name
        for path in folder.glob("*.py")
        if path.stem not in PARENTS_MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "videojob.errors"
        for name in node.names
    }
    bases = {"InputError", "VideoJobError"}
    assert named - bases <= {kind.__name__ for kind in CHILD_ERRORS}, "add what a decoder may say to CHILD_ERRORS"


def test_where_it_happened_and_whether_to_try_again_are_not_the_childs_to_say() -> None:
    error = error_from_message(values("InputCorrupt", uri="s3://else/where", segment=9, retryable=True), URI)
    assert type(error) is InputCorrupt
    assert (error.uri, error.segment, error.retryable) == (URI, None, False)
    assert error_from_message(values("InputUnavailable", retryable=True), URI).retryable
    assert not error_from_message(values("InputUnavailable"), URI).retryable


def test_what_it_says_has_an_end() -> None:
    error = error_from_message(values("InputCorrupt", message="m" * 10_000, hint="h" * 10_000), URI)
    assert (len(error.message), len(error.hint)) == (2000, 2000)
    with pytest.raises(NotItsToSay) as claim:
        error_from_message(values("Cancelled" * 1000), URI)
    assert len(str(claim.value)) == 300


@pytest.mark.parametrize("nonsense", [[], "InputCorrupt", None, 7])
def test_what_is_no_error_at_all_is_nonsense(nonsense: Any) -> None:
    with pytest.raises((AttributeError, TypeError)):
        error_from_message(nonsense, URI)


def test_a_time_that_is_none_is_nonsense() -> None:
    with pytest.raises(TypeError):
        protocol.error_from_message(values("InputCorrupt", time_ms="soon"), URI)
