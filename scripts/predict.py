"""What a trained model says: python scripts/predict.py run=outputs/... input=photo.png."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.predict import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
