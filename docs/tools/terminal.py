"""Pictures of a terminal of 80 columns and 24 lines, while the default run trains in it.

tmux holds the terminal and says what stands on it; Chromium draws that.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from docs.tools.browser import Browser
from zoo.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, LINES = 80, 24
COMMAND = "python train.py"
PROMPT = "$ "
BAR = re.compile(r"\b[4-9]\d%.* left")  # well under way
PICTURES = {  # what each waits for
    "terminal_bar": lambda text: BAR.search(text) is not None,
    "terminal_end": lambda text: text.rstrip().endswith(PROMPT.strip()) and "test" in text,
}
TIMEOUT = 1800.0  # seconds for the run
COLOURS = ["#2e3440", "#c0392b", "#3c8d40", "#b58900", "#2f6fb0", "#8e44ad", "#16858f", "#d8dee9"]
ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
OTHER_ESCAPES = re.compile(r"\x1b(?:\[[\d;?]*[A-Za-ln-z]|[()][A-Z0-9]|[^\[(])|[\x0e\x0f]")
PAGE = """<meta charset="utf-8"><style>body {{ margin: 0; background: #1e222a }}
pre {{ margin: 0; padding: 10px 14px; width: max-content; color: #e5e9f0;
font: 15px/1.3 "DejaVu Sans Mono", monospace }}</style><pre>{}</pre>"""


@contextmanager
def terminal() -> Iterator[Callable[..., str]]:
    """A shell in tmux; yields a function that passes a command to that tmux.

    Raises:
        UserError: There is no tmux.
    """
    if not shutil.which("tmux"):
        raise UserError("there is no tmux, which holds the terminal; install it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "train.py").symlink_to(ROOT / "train.py")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
        environment.pop("TMUX", None)  # a terminal in a terminal is its own

        def ask(*arguments: str) -> str:
            command = ["tmux", "-S", f"{folder}/socket", "-f", os.devnull, *arguments]
            return subprocess.run(
                command, env=environment, cwd=folder, check=True, capture_output=True, text=True
            ).stdout

        ask("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "sh")
        ask("set", "-g", "status", "off")
        # A shell of its own may put another prompt into PS1 at its start.
        ask("send-keys", f"PS1='{PROMPT}'; clear", "Enter")
        try:
            yield ask
        finally:
            ask("kill-server")


def take(browser: Browser, names: list[str], out: Path, command: str = COMMAND) -> Iterator[Path]:
    """Train in a terminal and take its pictures; yields their files.

    Raises:
        UserError: There is no tmux, or what a picture waits for never came.
    """
    with terminal() as ask:
        ask("send-keys", command, "Enter")
        end = time.monotonic() + TIMEOUT
        for name in names:
            while not PICTURES[name](ask("capture-pane", "-p")):
                if time.monotonic() > end:
                    raise UserError(f"{name}: the terminal never showed it")
                time.sleep(0.5)
            yield draw(browser, ask("capture-pane", "-e", "-p"), out / f"{name}.png")


def draw(browser: Browser, screen: str, path: Path) -> Path:
    """Save a terminal's screen, with its escape sequences, as a PNG."""
    from docs.tools.screenshots import compress

    lines = "\n".join((screen.split("\n") + [""] * LINES)[:LINES])
    page = PAGE.format(as_html(lines))
    browser.ask("Page.navigate", url=f"data:text/html;charset=utf-8,{quote(page)}")
    while not browser.run("document.querySelector('pre') && document.readyState == 'complete'"):
        time.sleep(0.1)
    box = browser.run("(({width, height}) => ({width, height}))"
                      "(document.querySelector('pre').getBoundingClientRect())")  # fmt: skip
    size = {side: round(value) for side, value in box.items()}
    browser.ask("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
    compress(browser.settled(), path)
    return path


def as_html(screen: str) -> str:
    """Text with colours and weights of ECMA-48 (SGR) as HTML; other sequences are left out."""
    parts = ESCAPE.split(OTHER_ESCAPES.sub("", screen))
    style: dict[str, str] = {}
    done = [html.escape(parts[0])]
    for codes, text in zip(parts[1::2], parts[2::2], strict=True):
        for code in map(int, (codes or "0").split(";")):
            _change(style, code)
        inside = html.escape(text)
        rules = ";".join(f"{key}:{value}" for key, value in style.items())
        done.append(f'<span style="{rules}">{inside}</span>' if rules and text else inside)
    return "".join(done)


def _change(style: dict[str, str], code: int) -> None:
    """Apply one code of SGR to a style of CSS."""
    if code == 0:
        style.clear()
    elif code in (1, 2):
        style.update({"font-weight": "bold"} if code == 1 else {"opacity": "0.65"})
    elif code == 22:
        style.pop("font-weight", None)
        style.pop("opacity", None)
    elif code == 39:
        style.pop("color", None)
    elif 30 <= code <= 37 or 90 <= code <= 97:
        style["color"] = COLOURS[code % 10]
