"""Chat templates: the text of `transformers`, and one line for those that fail or never end."""

import datetime

import pytest
from sample_chats import FORMATS, messages

from zoo.data.chat.template import ChatTemplate
from zoo.errors import UserError

CHATS = [
    messages("What does it do?"),
    messages(" Hi\n", "\n It reads. \n", "again"),
    messages("a", "<think>hm</think>\n\nb", "c", "d", "\u4f60\u597d \U0001f600"),
    messages("a", "b", "c", "d", system="Be 'short' & \"kind\"."),
    messages("a", "b", "c", system="Be short."),
]
EXTRAS = (  # what `transformers` adds to Jinja
    "{%- for message in messages -%}{%- if loop.index > 2 -%}{%- break -%}{%- endif -%}"
    "{%- if message.role == 'system' -%}{%- continue -%}{%- endif -%}"
    "{{ message | tojson(indent=2) }}{% generation %}{{ message.content }}{% endgeneration %}"
    "{%- endfor -%}{% set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}"
    "{{ dict(b=2).b }}{{ tools is none }}{{ documents is none }}{{ absent }}"
)


def rendered(source, chat, prompt):
    """By `transformers`, or what it says."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        return render_jinja_template(
            [chat], chat_template=source, add_generation_prompt=prompt, bos_token="<s>"
        )[0][0]
    except Exception as error:
        return str(error)


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("name", [*FORMATS, "extras"])
def test_the_text_is_that_of_transformers(name, prompt):
    pytest.importorskip("transformers")
    source = EXTRAS if name == "extras" else FORMATS[name][0]
    template = ChatTemplate(source, {"bos_token": "<s>"})
    for chat in CHATS:
        try:
            text = template.render(chat, prompt)
        except UserError as error:
            text = str(error).removeprefix("the chat template refuses the messages: ")
        assert text == rendered(source, chat, prompt) != ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for %}", "cannot be read: "),
        ("{{ 'a' | random }}", "cannot be read: No filter named 'random'"),
        ("{{ raise_exception('only\n users') }}", "refuses the messages: only users"),
        ("{{ messages[9].content }}", "refuses the messages: list object has no element 9"),
        ("{{ messages[0].content + 1 }}", "refuses the messages: can only concatenate str"),
        ("{{ messages.append(1) }}", "refuses the messages: .*append"),
        ("{{ ''.__class__.__mro__ }}", "refuses the messages: .*unsafe"),
        ("{{ namespace(__init__=1) }}", "refuses the messages: a namespace takes no name"),
        ("{% set n = namespace() %}{% set n._a = 1 %}", "a namespace takes no name"),
        ("{{ 'ab' * 10**9 }}", r"refuses the messages: '\*' would make more"),
        ("{{ 9 ** 999 }}", r"refuses the messages: '\*\*' would make more"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "refuses the messages: it does not end within 102,000 iterations and calls",
        ),
        (
            "{% macro f(n) %}{{ f(n - 1) ~ f(n - 1) if n else 0 }}{% endmacro %}{{ f(30) }}",
            "it does not end within 102,000",
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it calls itself for ever"),
    ],
)
def test_templates_that_fail_or_never_end_are_one_line(source, said):
    with pytest.raises(UserError, match=said) as raised:
        ChatTemplate(source, {}).render(messages("a", "b"), False)
    assert "\n" not in str(raised.value)


def test_the_date_is_that_of_the_run():
    source = "{{ strftime_now('%d %b %Y') }}"
    date = datetime.datetime(2031, 2, 3).isoformat()
    assert ChatTemplate(source, {}, date).render(messages("a"), False) == "03 Feb 2031"
