"""Reports in a browser: `check` opens one and says what is wrong, `take` makes its pictures.

    python docs/tools/report_pages.py outputs/.../report.html [axe=axe.min.js] [out=docs/images]

With axe= (the file of the npm package axe-core) it also lists what that finds of accessibility;
with out= it takes the documentation's pictures of a run's and a sweep's report.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from docs.tools.browser import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
HEIGHTS = {1280: 2500, 390: 1500}  # of pictures by width: the top of the page
READY = "document.readyState == 'complete'"
FACTS = """({
  wide: document.documentElement.scrollWidth - innerWidth,
  clipped: [...document.querySelectorAll('svg text')].filter(one => {
    const size = one.getBoundingClientRect();
    return size.height && size.height < 9;
  }).length,
  charts: document.querySelectorAll('.plot').length,
})"""

AXE = """axe.run().then(r => ({passes: r.passes.length, found: r.violations.map(v =>
  `${v.impact} ${v.id}: ${v.nodes.length} x ${v.nodes[0].html.slice(0, 120)}`)}))"""


@contextmanager
def browser(program: str = "") -> Iterator[Browser]:
    """Chromium or Chrome, ended at the end.

    Raises:
        RuntimeError: There is none.
    """
    program = program or next(filter(shutil.which, BROWSERS), "")
    if not program:
        raise RuntimeError("there is no Chromium or Chrome")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        one = Browser(program, profile)
        try:
            yield one
        finally:
            with suppress(Exception):
                one.close()


def show(one: Browser, page: Path, width: int, dark: bool = False, height: int = 900) -> None:
    """Open a report and wait until it is drawn."""
    value = "dark" if dark else "light"
    one.ask(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": value}]
    )
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    one.ask("Emulation.setDeviceMetricsOverride", **size)
    one.ask("Page.navigate", url=page.resolve().as_uri())
    for _ in range(100):
        time.sleep(0.1)
        if one.run(READY) and one.run("location.protocol") == "file:":
            return


def check(one: Browser, page: Path) -> list[str]:
    """What is wrong with a report: requests, errors, width, size of text; nothing if sound."""
    one.events.clear()
    for domain in ("Network", "Log", "Runtime", "Page"):
        one.ask(f"{domain}.enable")
    wrong = []
    for width in WIDTHS:
        show(one, page, width)
        facts = one.run(FACTS)
        if facts["wide"] > 0:
            wrong.append(f"{width} pixels: the page scrolls sideways by {facts['wide']}")
        if facts["clipped"]:
            wrong.append(f"{width} pixels: {facts['clipped']} labels are lower than 9 pixels")
    if facts["charts"]:
        wrong += _by_keyboard(one)
    return wrong + [text for event in one.events if (text := _complaint(event, page))]


def _by_keyboard(one: Browser) -> list[str]:
    """Whether a chart can be read by the keyboard."""
    one.run("document.querySelector('.plot').focus()")
    for kind in ("keyDown", "keyUp"):
        one.ask("Input.dispatchKeyEvent", type=kind, key="Home", code="Home")
    said = one.run("document.querySelector('.chart .readout').textContent")
    return [] if said.startswith("step ") else [f"the key Home reads no values: '{said}'"]


def _complaint(event: dict[str, Any], page: Path) -> str | None:
    """A request for anything but the page, or an error."""
    method, content = event["method"], event["params"]
    if method == "Network.requestWillBeSent":
        url = content["request"]["url"]
        own = url.startswith("data:") or url.partition("#")[0] == page.resolve().as_uri()
        return None if own else f"requests {url[:200]}"
    if method == "Log.entryAdded" and content["entry"]["level"] in ("error", "warning"):
        return f"console: {content['entry']['text'][:300]}"
    if method == "Runtime.exceptionThrown":
        return f"exception: {content['exceptionDetails'].get('text')}"
    if method == "Runtime.consoleAPICalled" and content["type"] in ("error", "warning"):
        return f"console: {content['args'][:1]}"
    return None


def accessibility(one: Browser, page: Path, axe: Path, dark: bool = False) -> tuple[list[str], int]:
    """What axe-core finds on a report, a line each, and how many of its rules pass."""
    show(one, page, WIDTHS[0], dark)
    one.ask("Runtime.evaluate", expression=axe.read_text(encoding="utf-8"))
    answer = one.ask("Runtime.evaluate", expression=AXE, awaitPromise=True, returnByValue=True)
    value = answer["result"]["value"]
    return value["found"], value["passes"]


def take(one: Browser, page: Path, out: Path) -> list[Path]:
    """The pictures of a report: `report.png`, 1280 pixels wide, `report_phone.png`, 390 wide; of a
    sweep's `report_sweep.png` and `report_sweep_phone.png`."""
    from docs.tools.screenshots import compress

    name = "report_sweep" if (page.parent / "sweep.json").is_file() else "report"
    taken = []
    for width in WIDTHS:
        show(one, page, width)
        full = int(one.run("document.documentElement.scrollHeight"))
        show(one, page, width, height=min(full, HEIGHTS[width]))
        taken.append(out / f"{name}{'' if width == WIDTHS[0] else '_phone'}.png")
        compress(one.settled(), taken[-1])
    return taken


def main(arguments: list[str]) -> int:
    """Check reports; returns 1 if something is wrong."""
    options = dict(a.split("=", 1) for a in arguments if a.startswith(("axe=", "out=")))
    pages = [Path(a) for a in arguments if not a.startswith(("axe=", "out="))]
    axe = Path(options["axe"]) if "axe" in options else None
    problems = 0
    with browser() as one:
        for page in pages:
            wrong = check(one, page)
            if axe:
                for dark in (False, True):
                    found, passed = accessibility(one, page, axe, dark)
                    print(f"{page}: axe {'dark' if dark else 'light'}: {passed} rules pass")
                    wrong += found
            if "out" in options:
                for path in take(one, page, Path(options["out"])):
                    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
            problems += len(wrong)
            for text in wrong or ["sound"]:
                print(f"{page}: {text}")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
