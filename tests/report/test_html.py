"""Whatever is not markup by type is escaped."""

import json

from zoo.report.html import Html, data, element, escape, table


def test_text_is_escaped_in_content_and_attributes():
    said = element("p", "<b>&", Html("<i>x</i>"), title='"><script>')
    assert said == '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;<i>x</i></p>'


def test_attributes_are_spelled_as_in_html():
    said = element("input", class_="a", aria_label="b", hidden=True, value=None, disabled=False)
    assert said == '<input class="a" aria-label="b" hidden/>'


def test_json_cannot_end_its_element():
    said = data({"name": "</script><!--<script>\u2028"}, "d")
    inner = said.removeprefix('<script type="application/json" id="d">').removesuffix("</script>")
    assert "<" not in inner and "\u2028" not in inner
    assert json.loads(inner) == {"name": "</script><!--<script>\u2028"}


def test_what_turns_the_direction_or_has_no_shape_is_a_code():
    assert escape("a\u202eb\x1b[31m\0") == "a\\u202eb\\x1b[31m\\x00"
    assert escape("猫\u3000\u200d\n\t") == "猫\u3000\u200d\n\t"
    assert escape("\udce4") == "\\udce4"


def test_tables_name_rows_and_columns():
    said = table(["a", "b"], [["1", "<2"]], "about")
    assert '<th scope="col">b</th>' in said and '<th scope="row">1</th><td>&lt;2</td>' in said
    assert "<caption>about</caption>" in said and 'tabindex="0"' in said
