"""Scripts: which texts are written without spaces, what folding keeps."""

import pytest

from zoo.data.tokenizers.scripts import fold, has_marked_letters, unspaced_script


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("我们在北京 and", "Chinese"),
        ("繁體中文", "Chinese"),
        ("東京でコーヒーを飲む", "Japanese"),
        ("カタカナ", "Japanese"),
        ("ภาษาไทย", "Thai"),
        ("ພາສາລາວ", "Lao"),
        ("ភាសាខ្មែរ", "Khmer"),
        ("မြန်မာဘာသာ", "Burmese"),
        ("English, mostly, with one 字", None),
        ("한국어 문장", None),
        ("हिन्दी", None),
        ("123 !?", None),
        ("", None),
    ],
)
def test_the_script_of_a_text_without_spaces(text, script):
    assert unspaced_script([text]) == script
    assert unspaced_script(list(text)) == script


def test_folding_composes_and_lowers():
    assert fold("E\u0301TE\u0301 \u212b") == "été å"
    assert fold("A B") == "a b"


def test_marks_on_letters_are_found():
    assert has_marked_letters("e\u0301") and has_marked_letters("हि")
    assert not has_marked_letters("é naïve ❤\ufe0f") and not has_marked_letters("plain")
