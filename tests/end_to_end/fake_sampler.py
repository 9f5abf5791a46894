"""A real sampler process whose models are fake: starts in a blink, so it can be killed often."""

from __future__ import annotations

import sys

from explorer.engines import registry
from explorer.sampler.__main__ import main

registry._ENGINES["transformers"] = "tests.fake_engine:open_slow"

if __name__ == "__main__":
    sys.exit(main())
