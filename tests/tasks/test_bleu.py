"""BLEU: which tokenizer a script gets, perfect text of every script, what is missing."""

import sys

import pytest
import sacrebleu

from zoo.data.tokenizers.scripts import unspaced_script
from zoo.errors import UserError
from zoo.tasks.bleu import bleu_counts, bleu_of, bleu_tokenizer, metric, signature

PERFECT = {  # a sentence: its tokenizer
    "我们今天去北京看天安门。": "zh",
    "昨天我买了一部iPhone手机，很贵。": "zh",
    "私は東京でコーヒーを飲みました。": "char",
    "ฉันรักภาษาไทยมาก": "char",
    "ខ្ញុំស្រលាញ់ភាសាខ្មែរ": "char",
    "ຂ້ອຍຮັກພາສາລາວ": "char",
    "ကျွန်တော်မြန်မာစာကိုချစ်တယ်": "char",
    "나는 한국어를 아주 많이 좋아해요": "13a",
    "मुझे हिन्दी भाषा बहुत पसंद है": "13a",
    "The quick brown fox jumps.": "13a",
}


def score(texts, references, tokenizer):
    return bleu_of(bleu_counts(texts, references, tokenizer)).score


@pytest.mark.parametrize("sentence", PERFECT)
def test_perfect_text_scores_100_in_any_script(sentence):
    chosen = bleu_tokenizer("auto", unspaced_script([sentence]))
    assert chosen == PERFECT[sentence]
    assert score([sentence], [sentence], chosen) == pytest.approx(100)
    worse = sentence[: len(sentence) // 2] + "x"
    assert 0 < score([sentence, worse], [sentence, sentence], chosen) < 100


@pytest.mark.parametrize("name", ["13a", "intl", "zh", "char", "none"])
def test_each_tokenizer_gives_sacrebleus_score_and_signature(name):
    texts = ["我 买了 iPhone.", "a man walks, he said"]
    references = ["我买了一部 iPhone.", "a man walks, she said"]
    reference = sacrebleu.metrics.BLEU(tokenize=name, force=True)
    expected = reference.corpus_score(texts, [references])
    assert score(texts, references, bleu_tokenizer(name, "Chinese")) == expected.score
    assert signature(name) == str(reference.get_signature())


@pytest.mark.parametrize(
    ("name", "package", "remedy"),
    [
        ("ja-mecab", "MeCab", r"pip install 'sacrebleu\[ja\]', or take task.bleu_tokenizer=char"),
        ("ko-mecab", "mecab_ko", r"pip install 'sacrebleu\[ko\]'"),
        ("flores200", "sentencepiece", "pip install sentencepiece"),
    ],
)
def test_a_missing_package_is_named(name, package, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("ja_mecab", "ko_mecab", "spm"):
        monkeypatch.delitem(sys.modules, f"sacrebleu.tokenizers.tokenizer_{module}", raising=False)
    metric.cache_clear()
    with pytest.raises(UserError, match=f"^task.bleu_tokenizer={name} cannot be used .*{remedy}"):
        metric(name)
