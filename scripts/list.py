"""What there is, with results: python scripts/list.py [models|data|experiments]."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.list import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
