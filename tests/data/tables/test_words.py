"""Free text beside other columns: TF-IDF as scikit-learn computes it, kept in the run."""

import json

import numpy as np
import pytest
import torch
from sample_tables import build_csv
from sklearn.feature_extraction.text import TfidfVectorizer

from zoo.data.encoding import load_encoding
from zoo.data.tables.words import fit_words, is_free_text, tfidf, words_of
from zoo.errors import UserError

REVIEWS = [
    "The delivery was late and the parcel was broken",
    "Great support, the parcel was early!",
    "Late again: the support was no help",
    "Great parcel, great price and early",
    "The price was great, the delivery early",
]


def review_table(rows=60):
    lines = [
        f'{i % 7},"{REVIEWS[i % 5]} {i}",{"yes" if i % 5 in (0, 2) else "no"}' for i in range(rows)
    ]
    return "\n".join(["stars,review,class", *lines]) + "\n"


def test_it_is_tfidf_as_scikit_learn_has_it():
    words, weights = fit_words(REVIEWS, 100)
    theirs = TfidfVectorizer(min_df=2, token_pattern=r"[^\W_]+")
    expected = theirs.fit_transform(REVIEWS).toarray()
    assert list(words) == list(theirs.get_feature_names_out())
    np.testing.assert_allclose(tfidf(REVIEWS, words, weights).numpy(), expected, rtol=1e-6)
    new = ["broken price PRICE of the moon", "", None, "unknown"]
    expected = theirs.transform([text or "" for text in new]).toarray()
    np.testing.assert_allclose(tfidf(new, words, weights).numpy(), expected, rtol=1e-6)


def test_of_many_words_those_of_most_rows_are_taken():
    words, _ = fit_words(REVIEWS, 3)
    assert words == ("early", "the", "was") and fit_words(["one", "two"], 9) == ((), ())


def test_words_are_letters_and_digits_and_chinese_characters():
    assert words_of("L'été_2024: 3 Räume") == ["l", "été", "2024", "3", "räume"]
    assert words_of("很好 ok吗") == ["很", "好", "ok", "吗"] and words_of(None) == []


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (REVIEWS, True),
        ([f"Customer {i}" for i in range(30)], False),
        ([f"https://example.org/a/b/c/{i}/d" for i in range(30)], False),
        (["房子很大很好", "房子很小不好", "房子不大很好"], True),
        ([" ".join(f"w{i}{k}" for k in range(6)) for i in range(30)], False),
    ],
)
def test_sentences_are_told_from_names(texts, expected):
    assert is_free_text(texts) == expected


def test_a_column_of_sentences_is_text_beside_the_others(write, split):
    data = build_csv(write("t.csv", review_table()), split)
    assert data.contents[2] == (
        "review", "text", "60 texts, 8 words each; TF-IDF (data.max_words)",
    )  # fmt: skip
    assert [column.kind for column in data.encoding.columns] == ["numeric", "text"]
    assert "review: parcel" in data.facts["feature_names"]
    rows = data.splits["train"].columns["input"]
    assert rows.shape[1] == len(data.facts["feature_names"]) and rows.dtype == torch.float32
    assert torch.allclose(rows[:, 1:].norm(dim=1), torch.ones(len(rows)), atol=1e-6)
    few = build_csv(write("u.csv", review_table()), split, max_words=4)
    assert few.facts["input_shape"] == (5,)
    kept = build_csv(write("v.csv", review_table()), split, drop=["review"])
    assert kept.facts["feature_names"] == ["stars"]
    category = build_csv(write("w.csv", review_table()), split, categorical=["review"])
    assert category.encoding.columns[1].kind == "categorical"


def test_words_are_of_the_training_rows_alone(write, split):
    text = review_table()
    data = build_csv(write("t.csv", text), split)
    column = data.encoding.columns[1]
    trained = len(data.splits["train"])
    numbers = [word for word in column.words if word.isdigit()]
    assert numbers == [] and trained < 60, "each number is in one row"
    every = fit_words([line.split('"')[1] for line in text.splitlines()[1:]], 500)
    assert column.weights != every[1]


def test_the_encoding_is_kept_and_reads_new_rows(write, split):
    encoding = build_csv(write("t.csv", review_table()), split).encoding
    again = load_encoding(json.loads(json.dumps(encoding.to_json())))
    assert again == encoding
    path = write("new.csv", 'review,stars\n"the parcel was late",3\n"zzz qqq",1\n,2\n')
    _, batch, notes = again.read_noted(path)
    expected = encoding.encode(
        {"stars": torch.tensor([3.0, 1.0, 2.0]).double(),
         "review": ["the parcel was late", "zzz qqq", None]}
    )  # fmt: skip
    assert torch.equal(batch["input"], expected)
    assert "column 'review': the run knows no word of 1 of 3 texts ('zzz qqq')" in notes


def test_mistakes_are_one_line(write, split):
    with pytest.raises(UserError, match="data.categorical and data.texts both name 'review'"):
        build_csv(write("t.csv", review_table()), split, texts=["review"], categorical=["review"])
    ids = "x,name,class\n" + "".join(f"{i % 5},n{i},{'ab'[i % 2]}\n" for i in range(30))
    with pytest.raises(UserError, match="the column 'name' has no word that is in two training"):
        build_csv(write("u.csv", ids), split, texts=["name"])
    with pytest.raises(UserError, match="data.max_words"):
        build_csv(write("v.csv", review_table()), split, max_words=0)
