"""Odd videos against the truth: the whole product on files whose frames, times and boxes are known by construction.

`python -m bench.odd_videos` makes them, runs them as a person would, compares and prints a table. Makers are those of
the tests (`support`), which are put on the path here.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))
