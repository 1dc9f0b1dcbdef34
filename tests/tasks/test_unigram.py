"""Frequencies of tokens as a predictor."""

import math

import pytest
import torch

from zoo.tasks.unigram import LearnsUnigram, Unigram, count_tokens
from zoo.tasks.word_windows import WordWindows


def test_loss_and_right_predictions_by_hand():
    unigram = Unigram(torch.tensor([1, 6, 0]))  # smoothed: 2, 7, 1 of 10
    target = torch.tensor([1, 0, 2, -100])
    sums = unigram.sums(target, target >= 0)
    expected = -math.log(0.7) - math.log(0.2) - math.log(0.1)
    assert float(sums["unigram_loss"]) == pytest.approx(expected, rel=1e-6)
    assert int(sums["unigram_accuracy"]) == 1


def test_before_it_is_learnt_nothing_is_added():
    task = LearnsUnigram()
    assert task._unigram_sums(torch.tensor([0]), torch.tensor([True])) == {}
    task.learn_baseline(count_tokens(torch.tensor([[0, 2], [2, 2]]), 4))
    assert task.unigram.most_frequent == 2


def test_the_score_of_a_candidate_is_its_log_odds():
    counts = torch.tensor([0, 8, 2])
    windows = WordWindows(counts, None, 2, sample=0.0, power=0.5)
    noise = [math.sqrt(n) / (math.sqrt(8) + math.sqrt(2)) for n in (8, 2)]
    expected = [0.0, math.log(0.8 / (5 * noise[0])), math.log(0.2 / (5 * noise[1]))]
    assert windows.frequency_scores(counts, 5).tolist() == pytest.approx(expected, rel=1e-5)
