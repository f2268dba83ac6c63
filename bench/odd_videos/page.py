"""The page of the reference: how it was made, and the tables. Pure but for the line about the machine."""

from __future__ import annotations

from collections.abc import Sequence

from bench.conditions import conditions
from bench.odd_videos.cases import Verdict
from bench.odd_videos.manifests import Answer
from bench.odd_videos.table import counted, manifests_table, markdown_table

_HEAD = """\
<!-- Written by `python -m bench.odd_videos DIR --write docs/reference/odd-videos.md`. Do not edit. -->
# Odd videos against the truth

What `videojob run` gives for files that are easily read wrongly, in part or not at all. Each shows coloured rectangles
whose times and boxes are known by construction, and a detector that finds them exactly. Run it yourself:

```
make odd-videos            # the project's own cases, made on the spot
make odd-videos DIR=cases  # and those of a folder: truth.json, the files, an ONNX detector and its labels
```

One job has all files as inputs, every frame (keyframes only where the table says so), `presenceGap: 500ms` and
`onCorruption: Skip`, on the embedded Triton. A line is right when

- the number of frames is that of the truth, and each lies within a millisecond of its time, as containers round;
- each box of each frame lies where it was drawn: within 2 pixels, as lossy codecs blur, 4 where pictures are scaled;
- times of presence begin and end with their pictures, and no gap is named where nothing is lost;
- of a damaged file, each picture counts or lies in a named gap, and what counts shows what was drawn;
- a file that is refused gets the reason and the words of the truth.

A blue rectangle moves on in each picture, so that a picture that is repeated, concealed or in another's place has a box
that is off. Pixels outside the rectangles are not compared here; `tests/functional/test_media_damage.py` does that.
"""


def page(
    verdicts: Sequence[Verdict], others: Sequence[Verdict], own_answers: Sequence[Answer], answers: Sequence[Answer]
) -> str:
    """All of it, in Markdown."""
    blocks = [_HEAD.strip(), f"Made on: {conditions()}.", "## The project's own cases"]
    blocks += [f"{counted(verdicts)}.", markdown_table(verdicts)]
    blocks += ["Manifests with words that YAML takes for something else, and with whole buckets:"]
    blocks += [manifests_table(own_answers)]
    if others:
        blocks += ["## Cases from outside", _OUTSIDE, f"{counted(others)}.", markdown_table(others)]
    if answers:
        blocks += ["Manifests of the same folder:", manifests_table(answers)]
    return "\n\n".join(blocks) + "\n"


_OUTSIDE = """\
Small files that others made after reports in public threads, with their truth. They are not part of this repository.
Their truth gives the number of frames and the times of presence, each with a box; "off by" is about those boxes."""
