"""`python wrong_clock.py SECONDS WORD…`: our command line on a machine whose clock is so many seconds ahead."""

from __future__ import annotations

import sys
import time

_AHEAD_S = float(sys.argv.pop(1))
_right_s = time.time
time.time = lambda: _right_s() + _AHEAD_S

from videojob.cli.main import main  # noqa: E402 - the clock is wrong before anybody looks at it

main()
