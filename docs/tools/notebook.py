"""Run the cells of the notebooks, and keep what they print and draw.

    python docs/tools/notebook.py                             all of notebooks/
    python docs/tools/notebook.py notebooks/neuron_to_gpt.ipynb

A cell's output is what Jupyter shows of it: printed text, the value of the last line (as HTML where
it has some), and the figures of pyplot. No server and no package of Jupyter is needed.
"""

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
NOTEBOOKS = ROOT / "notebooks"
Output = dict[str, Any]


def source(cell: dict[str, Any]) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def execute(cells: list[dict[str, Any]], namespace: dict[str, Any]) -> None:
    """Run the code cells of a notebook one after another; their outputs are replaced.

    Args:
        cells: As the file has them.
        namespace: The variables; those that the cells set are added.

    Raises:
        Exception: Whatever a cell raises.
    """
    number = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            number += 1
            cell["execution_count"] = number
            start = time.perf_counter()
            cell["outputs"] = run_cell(source(cell), namespace, number)
            seconds = time.perf_counter() - start
            if seconds > 1:
                print(f"cell {number}: {seconds:.0f} s", flush=True)


def run_cell(code: str, namespace: dict[str, Any], number: int) -> list[Output]:
    """Run one cell; what Jupyter would show."""
    tree = ast.parse(code, f"<cell {number}>")
    last = tree.body[-1] if tree.body else None
    value = None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("error")  # none is to be seen in a notebook of ours
        exec(compile(tree, f"<cell {number}>", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"<cell {number}>", "eval"), namespace)
    outputs: list[Output] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines(text)})
    outputs += [shown({"image/png": png, "text/plain": ["<Figure>"]}) for png in figures()]
    if value is not None and not code.rstrip().endswith(";"):
        data: dict[str, Any] = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        outputs.append(shown(data) | {"output_type": "execute_result", "execution_count": number})
    return outputs


def shown(data: dict[str, Any]) -> Output:
    """An output of several forms, of which a page takes the richest."""
    return {"output_type": "display_data", "data": data, "metadata": {}}


def lines(text: str) -> list[str]:
    """A text as the format has it."""
    return text.splitlines(keepends=True)


def figures() -> list[str]:
    """The open figures of pyplot as PNG; they are closed."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    import matplotlib.pyplot as plt

    found = []
    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, dpi=80, bbox_inches="tight", metadata={"Software": None})
        found.append(base64.b64encode(file.getvalue()).decode("ascii") + "\n")
    plt.close("all")
    return found


def main(argv: list[str]) -> int:
    """Run notebooks in a folder of their own, and write them with their outputs."""
    os.environ["MPLBACKEND"] = "agg"
    paths = [Path(word).resolve() for word in argv] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                execute(content["cells"], {})
            finally:
                os.chdir(before)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        print(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
