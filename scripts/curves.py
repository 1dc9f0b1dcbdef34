"""Learning curves of runs: python scripts/curves.py runs=outputs/...; see --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.curves import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
