"""A decoder process that was taken over and says what it likes: its parent takes only what a decoder can know."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.decoding import request_for, ring_for, same_size
from support.samples import sample_path
from videojob.errors import DecoderCrashed, InputCorrupt
from videojob.media.parent import child
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.parent.probe import probe
from videojob.media.protocol.ring import FileRing
from videojob.video.info import VideoInfo

LIAR = """
import json, sys
from pathlib import Path
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    run = json.loads(line).get("run")
    print(json.dumps({"run": run} | json.loads(Path(__file__).with_name("answer.json").read_text())), flush=True)
"""
CLAIMS = [
    "Cancelled",
    "StaleEpoch",
    "SetupIncomplete",
    "InputChanged",
    "InputAddressForbidden",
    "InternalError",
    "Made up",
]

CLIP = sample_path("carphone.mp4")

Lies = Callable[[Any], DecoderProcess]


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lies]:
    """A decoder that gives one answer to everything."""
    (tmp_path / "liar.py").write_text(LIAR)
    decoder = DecoderProcess(progress_timeout_s=20)

    def answering(answer: Any) -> DecoderProcess:
        (tmp_path / "answer.json").write_text(json.dumps(answer))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(child, "MODULE", "liar")
        return decoder

    yield answering
    decoder.close()


@pytest.fixture(scope="module")
def info() -> VideoInfo:
    """Of the clip, reported by an honest decoder."""
    return probe(CLIP, "s3://bucket/other")


def claim(reason: str) -> dict[str, Any]:
    return {"error": {"reason": reason, "message": "so I say", "retryable": True}}


@pytest.mark.parametrize("reason", CLAIMS)
def test_a_reason_that_is_not_its_to_give_is_told_as_a_crash_with_its_words(liar: Lies, reason: str) -> None:
    decoder = liar(claim(reason))
    with pytest.raises(DecoderCrashed, match=f"reported an error that it cannot know .{reason}: so I say") as caught:
        decoder.probe(CLIP, "s3://bucket/clip")
    assert (caught.value.uri, caught.value.retryable) == ("s3://bucket/clip", False)
    assert decoder.pid is None, "it is not asked again"


def test_neither_at_the_end_of_a_segment(liar: Lies, info: VideoInfo) -> None:
    decoder = liar(claim("StaleEpoch"))
    with ring_for(same_size(info)) as ring, pytest.raises(DecoderCrashed, match="StaleEpoch: so I say") as caught:
        list(decoder.open(request_for(CLIP, info), ring))
    assert caught.value.segment == 0


def test_an_error_of_the_input_is_about_the_input_that_was_asked_for(liar: Lies) -> None:
    answer = claim("InputCorrupt")
    answer["error"] |= {"uri": "s3://bucket/other", "segment": 9}
    with pytest.raises(InputCorrupt) as caught:
        liar(answer).probe(CLIP, "s3://bucket/clip")
    assert (caught.value.uri, caught.value.segment, caught.value.retryable) == ("s3://bucket/clip", None, False)


def test_a_probe_is_about_the_input_that_was_asked_for(liar: Lies, info: VideoInfo) -> None:
    assert liar({"info": info.as_dict()}).probe(CLIP, "s3://bucket/clip").uri == "s3://bucket/clip"


@pytest.mark.parametrize("frame", [[0.5, 0], [0, 0.5], [0, 6], [0, -1], [True, 0], ["0", 0]])
def test_frames_that_are_none_are_nonsense(liar: Lies, info: VideoInfo, frame: list[Any]) -> None:
    decoder = liar({"frames": [frame]})
    with ring_for(same_size(info)) as ring, pytest.raises(DecoderCrashed, match="sent an invalid message"):
        next(iter(decoder.open(request_for(CLIP, info), ring)))


def test_a_process_that_does_not_take_its_rings_is_ended(liar: Lies, info: VideoInfo) -> None:
    decoder = liar({"dropped": True})
    request = request_for(CLIP, info)

    def open_many(ring: FileRing) -> None:
        for _ in range(2000):
            decoder.open(request, ring)

    with ring_for(request.geometry) as ring, pytest.raises(DecoderCrashed, match="does not read its input"):
        open_many(ring)
    assert decoder.pid is None
