"""A trained model for other programs: python scripts/export.py run=outputs/...; see --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.export import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
