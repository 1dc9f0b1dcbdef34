"""The import path of the scripts: the repository first, this folder last.

Each script imports this module before the repository's packages. This folder stays on the path,
since spawned processes import the script again; but last, where compression.py does not hide the
standard library's package of that name (Python 3.14).
"""

import sys
from pathlib import Path

SCRIPTS = Path(__file__).parent
ROOT = SCRIPTS.parent
rest = [entry for entry in sys.path if entry not in (str(ROOT), str(SCRIPTS))]
sys.path[:] = [str(ROOT), *rest, str(SCRIPTS)]
