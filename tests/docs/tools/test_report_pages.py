"""Reports in Chromium, where there is one: sound as they are, and faults are seen."""

import json
import shutil

import pytest
from support import write_run

from docs.tools import report_pages
from zoo.report.write import write_run as write_report
from zoo.report.write import write_sweep

EVIL = '</script><img src="http://a.b/x.png">'
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, report_pages.BROWSERS)), reason="there is no Chromium or Chrome"
)


@pytest.fixture(scope="module")
def browser():
    with report_pages.browser() as one:
        yield one


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs") / "toy" / "sweep"
    rows = [{"step": k, "split": s, "loss": 5 / k, "accuracy": 1 - 1 / k}
            for k in range(1, 40) for s in ("train", "val")]  # fmt: skip
    for lr in (0.1, 0.01):
        for width in (8, 16):
            run = write_run(folder / f"{lr}-{width}", lr + width / 100, 0.5, optim__lr=lr,
                            model__width=width, typed=[f"optim.lr={lr}", f"model.width={width}"],
                            result={"reason": EVIL * 9})  # fmt: skip
            (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_sweep(folder)
    return folder


def test_reports_are_sound(browser, sweep):
    for page in (sweep / "0.1-16" / "report.html", sweep / "report.html"):
        assert report_pages.check(browser, page) == []


def test_ranges_fade_lines_and_headings_sort(browser, sweep):
    report_pages.show(browser, sweep / "report.html", 1280)
    browser.run(
        """(() => { const box = document.querySelector('[aria-label="lr, at least"]');
        box.value = 0.05; box.dispatchEvent(new Event('input', {bubbles: true})); })()"""
    )
    assert browser.run("document.querySelector('[role=status]').textContent") == "2 of 4 lines"
    assert browser.run("document.querySelectorAll('.run.faded').length") == 2
    assert browser.run("document.querySelectorAll('tr.faded').length") == 2
    places = "[...document.querySelectorAll('tbody tr[data-line]')].map(r => r.cells[0].innerText)"
    browser.run("document.querySelectorAll('.sort')[1].click()")
    assert browser.run(places) == ["4", "3", "2", "1"]


PRINTED = """({
  heads: [...document.querySelectorAll('thead th')].map(one => one.innerText),
  hidden: [...document.querySelectorAll('nav, .brushes, .copy')].filter(e => e.offsetWidth).length,
  wide: document.documentElement.scrollWidth - innerWidth,
  broken: [...document.querySelectorAll('td')].filter(cell => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    return /^[\\d.,]+$/.test(cell.innerText)
      && new Set([...text.getClientRects()].map(box => box.top)).size > 1;
  }).length,
})"""


def test_on_paper_tables_have_their_headings_and_numbers_are_whole(browser, sweep):
    for page in (sweep / "report.html", sweep / "0.1-16" / "report.html"):
        report_pages.show(browser, page, 700)  # of A4, between the margins of the browser
        browser.ask("Emulation.setEmulatedMedia", media="print")
        facts = browser.run(PRINTED)
        assert all(facts["heads"]) and len(facts["heads"]) > 3
        assert (facts["hidden"], facts["wide"], facts["broken"]) == (0, 0, 0)


def test_faults_are_seen(browser, sweep, tmp_path):
    text = (sweep / "report.html").read_text()
    page = tmp_path / "wrong.html"
    policy, _, rest = text.partition("http-equiv")[2].partition("/>")
    fault = '<img src="missing.png" alt=""><div style="width:3000px">x</div><script>a.b</script>'
    text = text.replace(f"http-equiv{policy}", "").replace("<main>", f"<main>{fault}")
    page.write_text(text)
    found = "\n".join(report_pages.check(browser, page))
    assert "missing.png" in found and "scrolls sideways" in found and "exception" in found


def test_the_policy_stops_what_is_slipped_in(browser, sweep, tmp_path):
    page = tmp_path / "slipped.html"
    text = (sweep / "report.html").read_text()
    page.write_text(text.replace("<main>", "<main><script>window.slipped = 1</script>"))
    report_pages.show(browser, page, 1280)
    assert browser.run("window.slipped") is None
    write_report(sweep / "0.1-8")
