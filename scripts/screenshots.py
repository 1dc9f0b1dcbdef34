"""The pictures of TensorBoard in docs/: python scripts/screenshots.py runs=outputs; see --help."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.arguments import options  # noqa: E402
from zoo.errors import UserError, report  # noqa: E402

USAGE = """\
python scripts/screenshots.py runs=outputs [out=docs/images] [only=] [browser=]

Takes the pictures of TensorBoard that the documentation shows, in Chromium or Chrome, without a
window. Look at each before you commit it.

runs=     the folder that these have written to:
{commands}
out=      where the pictures go
only=     one picture, by name: {names}
browser=  the program (default: chromium, chromium-browser, google-chrome, whichever is there)
"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0  # seconds for a page to show what it is to show
WIDTH = 1400


@dataclass(frozen=True)
class Picture:
    """A page of TensorBoard.

    Attributes:
        folder: Below `runs`: what has to be there, the newest of it.
        tab: The page.
        shows: Text that is on it once it is ready.
        query: Settings in its address.
        acts: What is done to it, in JavaScript.
        height: In pixels.
    """

    folder: str
    tab: str
    shows: str
    query: str = ""
    acts: tuple[str, ...] = ()
    height: int = 800


COMMANDS = {  # what makes them
    "mlp_digits": "python train.py -m experiment=mlp_digits optim.lr=3e-4,1e-3,3e-3 "
    "model.width=32,128 seed=0,1",
    "cnn_digits": "python train.py experiment=cnn_digits",
    "gpt_shakespeare": "python train.py experiment=gpt_shakespeare",
    "word2vec_pydoc": "python train.py experiment=word2vec_pydoc, then scripts/export_vectors.py",
}
SWEEP = "mlp_digits/*/sweep.json"
CONSTANT = "'adapter.name', 'data.augment.crop', 'best/val_top5_accuracy', 'best/val_loss'"
UNTICK = f"untick({CONSTANT}, 'test/loss')"
CURVES = quote("val/(acc|loss)|train/loss|confusion|mistakes|filters")
PICTURES = {
    "tensorboard": Picture(
        "cnn_digits/*/result.json", "timeseries", "mistakes", f"smoothing=0&tagFilter={CURVES}",
        ("press('Close side pane')",), 900,
    ),
    "sweep_hparams": Picture(SWEEP, "hparams", "best/val_accuracy", "", (UNTICK,), 700),
    "sweep_parallel": Picture(
        SWEEP, "hparams", "best/val_accuracy", "",
        (UNTICK, "press('PARALLEL COORDINATES VIEW')", "press('Logarithmic', 1)"), 960,
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
    "projector": Picture(
        "word2vec_pydoc/*/projector_config.pbtxt", "projector", "Points:", "",
        ("type('Search', 'string')", "press('string')"), 800,
    ),
}  # fmt: skip
HELPERS = """
function* every(root = document) {
  for (const one of root.querySelectorAll('*')) {
    yield one;
    if (one.shadowRoot) yield* every(one.shadowRoot);
    if (one.contentDocument) yield* every(one.contentDocument);
  }
}
const all = (test) => [...every()].filter(test);
const own = (one) => [...one.childNodes].filter(n => n.nodeType == 3)
  .map(n => n.textContent).join('').trim();
const text = () => all(one => one.offsetParent !== null).map(own).filter(Boolean).join('\\n');
function press(name, nth = 0) {
  const found = all(one => one.getAttribute('aria-label') == name || own(one) == name);
  if (!found[nth]) throw new Error('there is no ' + name);
  found[nth].click();
}
function untick(...names) {
  for (const box of all(one => one.localName == 'paper-checkbox' && one.checked))
    if (names.includes(box.textContent.trim())) box.click();
}
function unfold() {
  for (const one of all(one => one.classList.contains('toggle-matches-button'))) one.click();
}
function type(place, text) {
  const box = all(one => one.localName == 'input' && one.placeholder == place
    || one.localName == 'paper-input' && one.label == place)[0];
  if (!box) throw new Error('there is no field ' + place);
  box.value = text;
  for (const kind of ['input', 'change']) box.dispatchEvent(new Event(kind, {bubbles: true}));
}
"""


class Browser:
    """Chromium without a window, told what to do through a pair of pipes."""

    def __init__(self, program: str, profile: str) -> None:
        here_reads, browser_writes = os.pipe()
        browser_reads, here_writes = os.pipe()
        flags = "--headless=new --no-sandbox --hide-scrollbars --enable-unsafe-swiftshader"
        # It reads from descriptor 3 and writes to 4, whatever ours are.
        shell = f'exec "$0" "$@" 3<&{browser_reads} 4>&{browser_writes}'
        self.process = subprocess.Popen(
            ["sh", "-c", shell, program, *flags.split(), "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(browser_reads, browser_writes),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(browser_reads), os.close(browser_writes)
        self._in, self._out = os.fdopen(here_reads, "rb"), os.fdopen(here_writes, "wb")
        self._asked, self._session = 0, ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol, and its answer."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _message(self) -> bytes:
        found = bytearray()
        while (letter := self._in.read(1)) != b"\0":
            if not letter:
                raise RuntimeError("the browser has ended")
            found += letter
        return bytes(found)

    def run(self, script: str) -> Any:
        """What a line of JavaScript gives."""
        source = f"(() => {{ {HELPERS}; return {script}; }})()"
        answer = self.ask("Runtime.evaluate", expression=source, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The page as it is, a PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def settled(self) -> bytes:
        """The page when it no longer changes, or has had its time."""
        before, end = b"", time.monotonic() + PATIENCE / 2
        while (now := self.picture()) != before and time.monotonic() < end:
            before = now
            time.sleep(1.5)
        return now

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


@contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """TensorBoard on a folder; its address."""
    folder = folder.resolve()
    top = folder.parents[1]  # its path is shown: no more of it than needed
    shown = str(folder.relative_to(top))
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
            if found := re.search(r"http://\S+", line):
                yield found[0]
                return
        raise UserError("TensorBoard did not start; try `tensorboard --logdir` by hand")
    finally:
        process.terminate()
        process.wait()


def take(browser: Browser, picture: Picture, folder: Path, out: Path) -> None:
    """One picture."""
    with tensorboard(folder) as address:
        size = {"width": WIDTH, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
        browser.ask("Emulation.setDeviceMetricsOverride", **size)
        query = f"darkMode=false&{picture.query}"
        browser.ask("Page.navigate", url=f"{address}?{query}#{picture.tab}")
        end = time.monotonic() + PATIENCE
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
    """As few bytes as it takes: pages have few colours."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(out, optimize=True)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    commands = "\n".join(f"            {one}" for one in COMMANDS.values())
    usage = USAGE.format(commands=commands, names=", ".join(PICTURES))
    values, _ = options(argv, usage, runs=..., out="docs/images", only="", browser="")
    if values["only"] and values["only"] not in PICTURES:
        raise UserError(f"only={values['only']}: expected one of {', '.join(PICTURES)}")
    wanted = {n: p for n, p in PICTURES.items() if values["only"] in ("", n)}
    folders = {name: find(Path(values["runs"]), one.folder) for name, one in wanted.items()}
    program = values["browser"] or next(filter(shutil.which, BROWSERS), "")
    if not shutil.which(program):
        raise UserError("there is no Chromium or Chrome; install one, or name it: browser=")
    try:
        Path(values["out"]).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"out={values['out']} cannot be made: {error.strerror}") from None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            for name, picture in wanted.items():
                out = Path(values["out"]) / f"{name}.png"
                take(browser, picture, folders[name], out)
                print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")
        finally:
            with suppress(Exception):
                browser.close()
    return 0


def find(runs: Path, pattern: str) -> Path:
    """The log folder that holds the newest match: a sweep's own, or that of a run's recipe."""
    newest = max(runs.glob(pattern), default=None, key=lambda path: path.stat().st_mtime)
    if newest is None:
        command = COMMANDS[pattern.partition("/")[0]]
        raise UserError(f"{runs / pattern} is not there; it comes of: {command}")
    return newest.parent if newest.name == "sweep.json" else newest.parent.parent


if __name__ == "__main__":
    sys.exit(main())
