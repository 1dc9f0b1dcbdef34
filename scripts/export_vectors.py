"""Word vectors for other programs: python scripts/export_vectors.py run=outputs/...; see --help."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.export_vectors import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
