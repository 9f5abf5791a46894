"""What holds for all tests: models here are tiny, and a second thread only makes them wait."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, here or in a child
os.environ.pop("COLUMNS", None)  # what is printed is as wide as a test says, not as its terminal
