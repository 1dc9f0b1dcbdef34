"""Chromium without a window, driven by the DevTools protocol."""

import base64
import json
import os
import subprocess
import sys
import time
from typing import Any

TIMEOUT = 30.0  # seconds for a page to stop changing
# It reads from descriptor 3 and writes to 4, whatever ours are.
START = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, own in enumerate(ours, 3):
    os.dup2(own, number)
os.execvp(sys.argv[3], sys.argv[3:])
"""
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
function tick(...names) {
  for (const box of all(one => one.localName == 'paper-checkbox' && !one.checked))
    if (names.includes(box.textContent.trim())) box.click();
}
function unfold() {
  for (const one of all(one => one.classList.contains('toggle-matches-button'))) one.click();
}
function open(box) {
  const found = all(one => one.localName == 'g' && one.dataset.name == box)[0];
  if (!found) throw new Error('there is no box ' + box);
  found.querySelector('.nodeshape rect').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}));
}
function slide(nth, step) {
  const one = all(one => one.localName == 'input' && one.type == 'range')[nth];
  one.value = step;
  for (const kind of ['input', 'change']) one.dispatchEvent(new Event(kind, {bubbles: true}));
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
    """A headless browser, controlled through a pair of pipes."""

    def __init__(self, program: str, profile: str) -> None:
        here_reads, browser_writes = os.pipe()
        browser_reads, here_writes = os.pipe()
        flags = "--headless=new --no-sandbox --hide-scrollbars --enable-unsafe-swiftshader"
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(browser_reads), str(browser_writes), program,
             *flags.split(), "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(browser_reads, browser_writes),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(browser_reads)
        os.close(browser_writes)
        self._in, self._out = os.fdopen(here_reads, "rb"), os.fdopen(here_writes, "wb")
        self._requests, self._session = 0, ""
        self.events: list[dict[str, Any]] = []  # of the domains that were enabled
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the DevTools protocol.

        Raises:
            RuntimeError: The browser reports an error, or has ended.
        """
        self._requests += 1
        message: dict[str, Any] = {"id": self._requests, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._requests:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def _message(self) -> bytes:
        message = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser has ended")
            message += byte
        return bytes(message)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        source = f"(() => {{ {HELPERS}; return {script}; }})()"
        answer = self.ask("Runtime.evaluate", expression=source, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """The page as it is now, as a PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def settled(self) -> bytes:
        """The page once it no longer changes, or after TIMEOUT."""
        before, end = b"", time.monotonic() + TIMEOUT
        while (now := self.picture()) != before and time.monotonic() < end:
            before = now
            time.sleep(1.5)
        return now

    def close(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait()
