"""`python scripts/screenshots.py runs=outputs`: pictures of TensorBoard, reports, the terminal."""

import io
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from docs.tools import report_pages, terminal
from docs.tools.browser import Browser
from zoo.commands.arguments import options
from zoo.errors import UserError, report

USAGE = """\
python scripts/screenshots.py runs=outputs [out=docs/images] [only=] [browser=]

Takes the pictures of TensorBoard, of reports and of the terminal that the documentation shows, in
Chromium or Chrome, without a window. Those of the terminal start the default run in tmux, three
times. Look at each before you commit it.

runs=     the folder that these have written to:
{commands}
out=      where the pictures go
only=     one picture, by name: {names}
browser=  the program (default: chromium, chromium-browser, google-chrome, whichever is there)
"""
TIMEOUT = 60.0  # seconds for a page to show its text
WIDTH = 1400


@dataclass(frozen=True)
class Picture:
    """A page of TensorBoard.

    Attributes:
        folder: Pattern below `runs`; the newest match is shown.
        tab: Of TensorBoard.
        shows: Text that is on it once it is ready.
        query: Settings in its address.
        acts: JavaScript to run before the picture is taken.
        height: In pixels.
    """

    folder: str
    tab: str
    shows: str
    query: str = ""
    acts: tuple[str, ...] = ()
    height: int = 800


COMMANDS = {  # that write the runs
    "mlp_digits": "python train.py -m experiment=mlp_digits optim.lr=3e-4,1e-3,3e-3 "
    "model.width=32,128 seed=0,1",
    "cnn_digits": "python train.py experiment=cnn_digits",
    "cnn_inside": "python train.py name=cnn_inside trainer.histograms=true trainer.graph=true",
    "mlp_rain": "python train.py experiment=mlp_rain",
    "gpt_shakespeare": "python train.py experiment=gpt_shakespeare",
    "word2vec_pydoc": "python train.py experiment=word2vec_pydoc",
}
SWEEP = "mlp_digits/*/sweep.json"
SAME = "'model.name', 'optim.name', 'best/val_loss', 'best/val_top5_accuracy'"
SAME += ", 'best/val_balanced_accuracy', 'best/val_macro_f1'"
ACCURACY = f"untick({SAME})", "tick('test/accuracy')"
CURVES = quote("confusion|feature_maps|looks_at|mistakes|train/loss|val/accuracy")
PICTURES = {
    "tensorboard": Picture(
        "cnn_digits/*/result.json", "timeseries", "mistakes", f"smoothing=0&tagFilter={CURVES}",
        ("press('Close side pane')",), 900,
    ),
    "sweep_hparams": Picture(SWEEP, "hparams", "best/val_accuracy", "", ACCURACY, 700),
    "sweep_parallel": Picture(
        SWEEP, "hparams", "best/val_accuracy", "",
        (*ACCURACY, "press('PARALLEL COORDINATES VIEW')", "press('Logarithmic')"), 960,
    ),
    "sweep_scalars": Picture(
        SWEEP, "timeseries", "Tags matching filter",
        f"smoothing=0&tagFilter={quote('best/val_(acc|loss)|(train|val)/(acc|loss)')}",
        ("press('Close side pane')",), 900,
    ),
    "custom_scalars": Picture(
        "cnn_digits/*/result.json", "custom_scalars", "accuracy", "", ("unfold()",), 860
    ),
    "samples": Picture("gpt_shakespeare/*/result.json", "text", "sample", "", (), 620),
    "images": Picture("cnn_digits/*/result.json", "images", "looks_at", "", (), 900),
    "film": Picture(
        "mlp_rain/*/result.json", "timeseries", "decision_surface_film",
        f"tagFilter={quote('decision_surface')}",
        ("press('Close side pane')", "slide(1, 0)"), 510,
    ),
    "histograms": Picture(
        "cnn_inside/*/result.json", "histograms", "gradients/features.0.0.weight", "", (), 680
    ),
    "graph": Picture(
        "cnn_inside/*/result.json", "graphs", "Fit to screen", "",
        ("open('Call')", "open('Call/CNN[model]')", "press('Fit to screen')"), 960,
    ),
    "projector_digits": Picture(
        "cnn_digits/*/projector_config.pbtxt", "projector", "Points:", "", (), 800,
    ),
    "projector": Picture(
        "word2vec_pydoc/*/projector_config.pbtxt", "projector", "Points:", "",
        ("type('Search', 'string')", "press('string')"), 800,
    ),
}  # fmt: skip
REPORTS = {"report": "cnn_digits/*/report.html", "report_sweep": "mlp_digits/*/report.html"}
NAMES = (*PICTURES, *REPORTS, *terminal.PICTURES)


@contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """Serve a folder by TensorBoard; yields its address."""
    logs = logs.resolve()
    top = logs.parents[1]  # the page shows the path below it
    shown = str(logs.relative_to(top))
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", shown, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--load_fast=false"],
        cwd=top,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if address := re.search(r"http://\S+", line):
                yield address[0]
                return
        raise UserError("TensorBoard did not start; try `tensorboard --logdir` by hand")
    finally:
        process.terminate()
        process.wait()


def take(browser: Browser, picture: Picture, logs: Path, out: Path) -> None:
    """Take one picture of TensorBoard."""
    with tensorboard(logs) as address:
        size = {"width": WIDTH, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
        browser.ask("Emulation.setDeviceMetricsOverride", **size)
        query = f"darkMode=false&{picture.query}"
        browser.ask("Page.navigate", url=f"{address}?{query}#{picture.tab}")
        end = time.monotonic() + TIMEOUT
        while picture.shows not in (browser.run("text()") or ""):
            if time.monotonic() > end:
                raise UserError(f"{out.stem}: the page never showed '{picture.shows}'")
            time.sleep(0.5)
        browser.settled()
        for act in picture.acts:
            browser.run(act)
            time.sleep(1)
        compress(browser.settled(), out)


def compress(png: bytes, out: Path) -> None:
    """Save with 256 colours, to save space."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    commands = "\n".join(f"            {command}" for command in COMMANDS.values())
    usage = USAGE.format(commands=commands, names=", ".join(NAMES))
    values, _ = options(argv, usage, runs=..., out="docs/images", only="", browser="")
    if values["only"] and values["only"] not in NAMES:
        raise UserError(f"only={values['only']}: expected one of {', '.join(NAMES)}")
    wanted = [name for name in NAMES if values["only"] in ("", name)]
    runs = Path(values["runs"])
    places = {
        name: newest(runs, _pattern(name)) for name in wanted if name in (*PICTURES, *REPORTS)
    }
    program = values["browser"] or next(filter(shutil.which, report_pages.BROWSERS), "")
    if not shutil.which(program):
        raise UserError("there is no Chromium or Chrome; install one, or name it: browser=")
    out = Path(values["out"])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={out} cannot be made: {error.strerror}") from None
    with report_pages.browser(program) as browser:
        for path in _take_all(browser, wanted, places, runs, out):
            print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", flush=True)
    return 0


def _pattern(name: str) -> str:
    return PICTURES[name].folder if name in PICTURES else REPORTS[name]


def _take_all(
    browser: Browser, wanted: list[str], places: dict[str, Path], runs: Path, out: Path
) -> Iterator[Path]:
    for name, place in places.items():
        if name in REPORTS:
            yield from report_pages.take(browser, place, out)
        else:
            take(browser, PICTURES[name], folder(place), out / f"{name}.png")
            yield out / f"{name}.png"
    if lines := [name for name in wanted if name in terminal.PICTURES]:
        yield from terminal.take(browser, lines, runs, out)


def newest(runs: Path, pattern: str) -> Path:
    """The newest file that matches."""
    file = max(runs.glob(pattern), default=None, key=lambda path: path.stat().st_mtime)
    if file is None:
        command = COMMANDS[pattern.partition("/")[0]]
        raise UserError(f"{runs / pattern} is not there; it is written by: {command}")
    return file


def folder(file: Path) -> Path:
    """The log folder to show for a file: a sweep's own, or that of a run's recipe."""
    return file.parent if file.name == "sweep.json" else file.parent.parent
