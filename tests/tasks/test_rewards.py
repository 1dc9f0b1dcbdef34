"""Questions of a batch, and the baseline of a group."""

import torch

from zoo.tasks.rewards import Questions, leave_one_out, marked


def test_prompts_and_responses_are_told_apart_by_what_is_scored():
    batch = {
        "input": torch.tensor([[5, 6, 7, 0, 0], [5, 7, 7, 8, 0]]),
        "scored": torch.tensor([[False, True, True, False], [True, True, True, True]]),
    }
    assert Questions.of(batch) == ([[5, 6], [5]], [[7], [7, 7, 8]])
    assert Questions.of({"input": batch["input"]}).responses == [None, None]
    assert Questions([[1], [2]], [[3], None]).repeated(2) == (
        [[1], [1], [2], [2]],
        [[3], [3], None, None],
    )


def test_a_reward_is_compared_with_the_others_of_its_group():
    rewards = torch.tensor([[1.0, 0.0, 0.0], [0.5, 1.0, 0.0], [1.0, 1.0, 1.0]])
    expected = torch.tensor([[1.0, -0.5, -0.5], [0.0, 0.75, -0.75], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(leave_one_out(rewards), expected)


def test_answers_are_marked():
    assert [marked("4", reward)[-1] for reward in (1.0, 0.0, 0.5)] == ["\u2713", "\u2717", ")"]
