"""Uses exports as a stranger does, in a process that has no Zoo: by the example of each model card.

    python foreign_reader.py jobs.json answers.json

A job is a folder, inputs, and perhaps code that defines `check`; its answers are what the example's
`predict` gives for each input, and `check` for all of them; or an error.
"""

import json
import os
import re
import sys
import traceback
from pathlib import Path

sys.modules["zoo"] = None  # importing it fails


def answers(folder, inputs, check):
    os.chdir(folder)
    text = Path("README.md").read_text(encoding="utf-8")
    scope = {}
    if example := re.search(r"```python\n(.*?)```", text, re.DOTALL):
        exec(example[1], scope)
    exec(check, scope)
    given = [scope["predict"](one) for one in inputs] if example else []
    return given + ([scope["check"](inputs)] if check else [])


def main():
    jobs, out = (Path(name).resolve() for name in sys.argv[1:])
    given = []
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        try:
            given.append({"answers": answers(job["folder"], job["inputs"], job["check"])})
        except Exception:
            given.append({"error": traceback.format_exc()})
    out.write_text(json.dumps(given), encoding="utf-8")


main()
