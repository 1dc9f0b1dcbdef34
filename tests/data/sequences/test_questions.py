"""What is shown, when it is asked for, and the answer."""

import numpy as np

from zoo.data.sequences.questions import copy_question, recall_question


def test_a_copy_is_asked_for_after_a_flag_and_a_wait():
    question = copy_question(np.array([[1, 0], [1, 1]], np.uint8), distance=1)
    assert question.input.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1], *[[0, 0, 0]] * 3]
    assert question.scored.tolist() == [False] * 4 + [True] * 2
    assert question.target[4:].tolist() == [[1, 0], [1, 1]] and not question.target[:4].any()


def test_what_is_recalled_is_the_item_after_the_one_that_is_shown_again():
    items = np.array([[[1, 1]], [[0, 1]], [[1, 0]]], np.uint8)
    question = recall_question(items, 1, distance=0)
    shown = [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    asked = [[0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert question.input.tolist() == shown + asked
    assert question.scored.tolist() == [False] * 9 + [True]
    assert question.target[-1].tolist() == [1, 0]
