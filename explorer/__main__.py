"""`python -m explorer` and the `rlvr-explorer` command."""

from __future__ import annotations

from explorer.cli.run import main

if __name__ == "__main__":
    main()
