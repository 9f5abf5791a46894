"""What holds for all tests: models here are tiny, and a second thread only makes them wait."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, here or in a child
os.environ.pop("COLUMNS", None)  # what is printed is as wide as a test says, not as its terminal

# How long an example takes says something of the machine and what else it does, not of the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
