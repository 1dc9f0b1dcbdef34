"""Any text in TensorBoard's TEXT page reads as it is."""

import html
import re

import pytest

from zoo.tasks import markdown


def shown(text):
    """What the page makes of Markdown, without the tags."""
    from tensorboard.plugin_util import markdown_to_safe_html

    page = markdown_to_safe_html(text)
    return page, html.unescape(re.sub(r"<[^>]+>", "", page))


ODD = "# one *two* _three_ __init__ `four` <unk> <b>five</b> | six & seven [a](b) ~~c~~ \\n &lt;"


def test_a_cell_holds_its_text(recwarn):
    rows = [(ODD, "plain"), ("two\nlines", "- list")]
    page, text = shown(markdown.table(("source", "model"), rows))
    cells = [html.unescape(c) for c in re.findall(r"<td>(.*?)</td>", page, re.DOTALL)]
    assert cells == [ODD, "plain", "two lines", "- list"]
    assert text.split()[:2] == ["source", "model"]


@pytest.mark.parametrize("text", [ODD, "def f():\n\n    return 1\n- a\n1. b", "", "<unk>\r\nb"])
def test_a_block_keeps_lines_and_signs(text, recwarn):
    page, found = shown(f"model:\n\n{markdown.block(text)}")
    assert found.split("\n")[1:] == [*text.replace("\r", "").split("\n"), ""][: found.count("\n")]
    assert page.count("<p>") == 1


def test_a_long_line_is_broken():
    lines = markdown.block("word " * 100).split("\n")
    assert max(map(len, lines)) <= markdown.WIDTH + 4
    assert "".join(line[4:] for line in lines) == "word " * 100
