"""`python -m bench.odd_videos [DIR]` (`make odd-videos DIR=...`): odd videos against the truth, as a table in Markdown.

Makes the project's own cases, runs them through `videojob run` and compares frames, times, boxes, gaps and errors with
what each file shows by construction. With DIR also a folder of others' cases (`bench.odd_videos.outside`). The exit
code is 1 when a case is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.odd_videos import manifests, outside
from bench.odd_videos.cases import Verdict
from bench.odd_videos.kinds import ALL
from bench.odd_videos.measure import made, measure, own_detector
from bench.odd_videos.page import page


def main() -> int:
    """Parses the arguments, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.odd_videos", description="Odd videos against the truth.")
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="others' cases: truth.json, files, detector"
    )
    parser.add_argument("--only", default="", metavar="WORDS", help="own cases with these words in kind or file name")
    parser.add_argument("--write", type=Path, metavar="FILE", help="writes the page there instead of printing it")
    options = parser.parse_args()
    own = [case for case in ALL if options.only in f"{case.kind} {case.name}"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _say(f"{len(own)} cases of the project's own")
        verdicts = measure(own, made(own, folder / "files"), own_detector(folder), folder / "own")
        others: list[Verdict] = []
        if options.folder:
            others_cases = outside.cases(options.folder)
            _say(f"{len(others_cases)} cases of {options.folder}")
            paths = [options.folder.resolve() / case.name for case in others_cases]
            others = measure(others_cases, paths, outside.detector(options.folder), folder / "others")
        own_answers = manifests.own_answers(folder / "manifests")
    text = page(verdicts, others, own_answers, manifests.answers(options.folder) if options.folder else ())
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)
    wrong = [one for one in (*verdicts, *others) if one.differences]
    for one in wrong:
        _say(f"{one.case.kind}, {one.case.name}: {'; '.join(one.differences)}")
    return 1 if wrong or any(one.right is False for one in own_answers) else 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
