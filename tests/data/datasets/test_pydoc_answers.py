"""Questions and answers from docstrings."""

from zoo.data.datasets.pydoc_answers import answers


def test_answers_of_the_standard_library():
    questions = dict(answers())
    assert len(questions) > 4000
    assert questions["json.loads(s, *, cls=None, object_hook=None, parse_float=None, parse_int=None, parse_constant=None, object_pairs_hook=None, **kw)"].startswith("Deserialize")  # fmt: skip # noqa: E501
    assert all(len(said.split()) >= 4 for said in questions.values())
