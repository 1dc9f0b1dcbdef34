"""Pictures of a terminal of 80 columns and 24 lines: the default run in it, and a comparison.

tmux holds the terminal and says what stands on it, and what moved above it; Chromium draws that.
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
PROMPT = "$ "
BAR = re.compile(r"\b[4-9]\d%.* left")  # well under way
Test = Callable[[str], object]


def ended(screen: str) -> bool:
    """Whether the shell waits for the next command."""
    return screen.rstrip().endswith(f"\n{PROMPT.strip()}")


TRAIN, COMPARE = "python train.py", "python scripts/compare.py outputs/mlp_digits"
PICTURES: dict[str, tuple[tuple[str, Test], ...]] = {  # what is typed, and what is waited for then
    "terminal_bar": ((TRAIN, BAR.search),),
    "terminal_end": ((TRAIN, ended),),
    "terminal_stop": ((TRAIN, BAR.search), ("C-c", ended)),
    "terminal_compare": ((COMPARE, ended),),
}
TIMEOUT = 1800.0  # seconds for the run
COLOURS = ["#2e3440", "#c0392b", "#3c8d40", "#b58900", "#2f6fb0", "#8e44ad", "#16858f", "#d8dee9"]
ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
OTHER_ESCAPES = re.compile(r"\x1b(?:\[[\d;?]*[A-Za-ln-z]|[()][A-Z0-9]|[^\[(])|[\x0e\x0f]")
PAGE = """<meta charset="utf-8"><style>body {{ margin: 0; background: #1e222a }}
pre {{ margin: 0; padding: 10px 14px; width: max-content; color: #e5e9f0;
font: 15px/1.3 "DejaVu Sans Mono", monospace }}</style><pre>{}</pre>"""


@contextmanager
def terminal(runs: Path | None = None) -> Iterator[Callable[..., str]]:
    """A shell in tmux; yields a function that passes a command to that tmux.

    Args:
        runs: What is `outputs` there; None for a folder that is empty, and removed at the end.

    Raises:
        UserError: There is no tmux.
    """
    if not shutil.which("tmux"):
        raise UserError("there is no tmux, which holds the terminal; install it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        links = {name: ROOT / name for name in ("train.py", "evaluate.py", "scripts")}
        for name, target in (links | ({"outputs": runs.resolve()} if runs else {})).items():
            (Path(folder) / name).symlink_to(target)
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
        try:
            # A shell of its own may put another prompt into PS1 at its start.
            ask("send-keys", f"PS1='{PROMPT}'; clear", "Enter")
            wait(ask, lambda screen: screen.strip() == PROMPT.strip(), "a prompt")
            ask("clear-history")
            yield ask
        finally:
            ask("kill-server")


def wait(ask: Callable[..., str], shows: Test, what: str) -> None:
    """Return once the screen shows it.

    Raises:
        UserError: It never came.
    """
    end = time.monotonic() + TIMEOUT
    while not shows(ask("capture-pane", "-p")):
        if time.monotonic() > end:
            raise UserError(f"{what}: the terminal never showed it")
        time.sleep(0.2)


def take(browser: Browser, names: list[str], runs: Path, out: Path) -> Iterator[Path]:
    """Take pictures of the terminal; yields their files.

    Args:
        browser: Draws what tmux holds.
        names: Of PICTURES.
        runs: The folder of runs that are compared.
        out: Where the pictures go.

    Raises:
        UserError: There is no tmux, or what a picture waits for never came.
    """
    for name in names:
        is_of_runs = any(typed == COMPARE for typed, _ in PICTURES[name])
        with terminal(runs if is_of_runs else None) as ask:
            for typed, shows in PICTURES[name]:
                enter(ask, typed)
                wait(ask, shows, name)
            screen = ask("capture-pane", "-e", "-p", "-S", "-")
            yield draw(browser, screen, out / f"{name}.png")


def enter(ask: Callable[..., str], typed: str) -> None:
    """Type a command and start it, or press a key such as `C-c`."""
    ask("send-keys", typed)
    if typed != "C-c":
        wait(ask, lambda screen: typed in screen.replace("\n", ""), typed)
        ask("send-keys", "Enter")
        wait(ask, lambda screen: not screen.rstrip().endswith(typed), typed)


def draw(browser: Browser, screen: str, path: Path) -> Path:
    """Save a terminal's screen, with its escape sequences, as a PNG."""
    from docs.tools.screenshots import compress

    lines = screen.rstrip().split("\n")
    page = PAGE.format(as_html("\n".join(lines + [""] * (LINES - len(lines)))))
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
