"""What holds for all tests, however they were started and however slow the machine is.

Properties are tried with the same examples each time. Ctrl-C reaches the programs under test: who starts the tests in
the background may have it ignored, and children inherit that.
"""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "same everywhere", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("same everywhere")
signal.signal(signal.SIGINT, signal.default_int_handler)
