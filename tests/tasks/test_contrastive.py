"""The contrastive loss in both directions: equal captions, words left out, ranks, prompts."""

import copy

import forked
import pytest
import torch
import torch.nn.functional as F
from previews import Previews
from test_every_model import make
from toys import CPU, HERE

from zoo.errors import UserError
from zoo.tasks.contrastive import Contrastive, contains
from zoo.tasks.pixels import Pixels
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients, prepare_task, wrapped

FP32 = Precision("fp32", CPU)


@pytest.fixture
def case():
    return make("clip")


def logits_of(case):
    images, texts = case.model(case.example.batch["input"], case.example.batch["caption"])
    return images @ texts.T  # of images; their transpose of captions


def test_the_loss_is_the_mean_of_two_cross_entropies(case):
    logits, target = logits_of(case), torch.arange(12)
    expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    output = case.task.step(case.model, case.example.batch)
    assert (output.loss_sum / output.count).item() == pytest.approx(expected.item(), rel=1e-5)
    right = (logits.argmax(1) == target).sum()
    assert int(output.sums["accuracy"]) == int(right)


def test_equal_captions_are_no_mistakes_for_each_other(case):
    batch = {**case.example.batch}
    for name in ("caption", "group"):
        batch[name] = batch[name].clone()
        batch[name][6:] = batch[name][:6]  # each caption twice
    case = case._replace(example=type(case.example)({}, batch, case.example.inputs))
    check_that_pairs_share(case)


def check_that_pairs_share(case):
    """Of twelve samples, each has two right answers: its own and that six places away."""
    shares = torch.eye(6).repeat(2, 2) / 2
    logits = logits_of(case)
    expected = F.cross_entropy(logits, shares) + F.cross_entropy(logits.T, shares)
    output = case.task.step(case.model, case.example.batch)
    assert (output.loss_sum / 12).item() == pytest.approx((expected / 2).item(), rel=1e-5)


def test_captions_of_one_image_are_no_mistakes_for_each_other(case):
    batch = {**case.example.batch, "picture": torch.arange(12) % 6}  # each image twice
    batch["input"] = batch["input"][:6].repeat(2, 1, 1, 1)
    case = case._replace(example=type(case.example)({}, batch, case.example.inputs))
    check_that_pairs_share(case)
    assert torch.equal(case.task.step(case.model.eval(), batch).rows["picture"], batch["picture"])


def test_words_are_left_out_in_training_but_never_all_of_them(case):
    captions = case.task.captions
    task = Contrastive(captions, word_dropout=0.6)
    tokens = case.example.batch["caption"].repeat(50, 1)
    torch.manual_seed(0)
    dropped = task._with_dropout(tokens)
    is_word = tokens != captions.pad_id
    unknown = dropped == captions.unknown_id
    assert torch.equal(dropped[~is_word], tokens[~is_word]) and not (unknown & ~is_word).any()
    assert 0.18 < float(unknown.sum() / is_word.sum()) < 0.3  # 0.6 * 0.4: of two, never both
    assert (unknown.sum(1) < is_word.sum(1)).all()
    assert torch.equal(dropped[~unknown], tokens[~unknown])
    losses = [task.step(case.model.eval(), case.example.batch).loss_sum.item() for _ in range(2)]
    plain = case.task.step(case.model.eval(), case.example.batch).loss_sum.item()
    assert losses == [plain, plain]


def gradients(batch, runtime=HERE, number=None):
    case = make("clip")
    task, model = case.task, case.model.train()
    prepare_task(task, 1, runtime.ranks, 12)
    if number is not None:
        batch = {name: column.tensor_split(2)[number] for name, column in batch.items()}
    loss, _ = accumulate_gradients(
        wrapped(model, runtime, False), task, [batch], FP32, runtime, RunningMetrics()
    )
    return {name: p.grad.clone() for name, p in model.named_parameters()} | {"loss": loss}


def batch_of():
    batch = dict(make("clip").example.batch)
    batch["caption"], batch["group"] = batch["caption"].clone(), batch["group"].clone()
    for name in ("caption", "group"):  # equal captions on both ranks
        batch[name][11] = batch[name][0]
    return batch


def rank(folder, number):
    runtime = Runtime.start("cpu")
    torch.save(gradients(batch_of(), runtime, number), folder / f"{number}.pt")
    runtime.stop()
    return 0


def test_two_ranks_give_the_gradient_of_one(tmp_path):
    log = tmp_path / "log"
    assert forked.call_ranks(log, rank, tmp_path) == [0, 0], log.read_text()
    whole = gradients(batch_of())
    for number in range(2):
        own = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        for name, expected in whole.items():
            torch.testing.assert_close(own[name].float(), expected.float(), rtol=1e-4, atol=1e-5)


def test_prompts_classify_the_images_whose_captions_contain_them(case):
    texts = [case.task.captions.decode(row) for row in case.example.batch["caption"]]
    first = [text.split()[0] for text in texts[:3]]
    task = Contrastive(case.task.captions, prompts=first)
    batches = [case.example.batch]
    means = evaluate(case.model, task, batches, FP32, HERE)
    decided = [k for k, t in enumerate(texts) if sum(p in t.split() for p in first) == 1]
    logits = task.similarities(case.model.eval(), case.example.batch["input"], first)
    right = [first[int(logits[k].argmax())] in texts[k].split() for k in decided]
    figures = task.summarize(means)
    assert figures["prompt_accuracy"] == pytest.approx(sum(right) / len(right))
    counts = [sum(p in texts[k].split() for k in decided) for p in first]
    rows = task.details(means)["prompts"]
    assert [rows[p]["images"] for p in first] == counts
    baseline = task.baseline(means).metrics["prompt_accuracy"]
    assert baseline == pytest.approx(max(counts) / sum(counts))
    assert set(task.baseline(means).metrics) == set(figures)


def test_a_prompt_of_unknown_words_is_in_no_caption(case):
    """A caption with another unknown word is not one that contains it."""
    captions, batch = case.task.captions, dict(case.example.batch)
    known = captions.decode(batch["caption"][0]).split()[0]
    texts = ["quux", f"{known} quux", known] * len(batch["caption"])
    batch["caption"] = captions.encode(texts[: len(batch["caption"])])
    task = Contrastive(captions, prompts=["zebra", known])
    means = evaluate(case.model, task, [batch], FP32, HERE)
    rows = task.details(means)["prompts"]
    assert rows["zebra"]["images"] == 0 and rows[known]["images"] == 2 * len(batch["caption"]) // 3
    assert task.baseline(means).metrics["prompt_accuracy"] == 1


def test_a_prompt_is_found_as_a_row_of_words():
    captions = torch.tensor([[5, 6, 7, 1], [6, 5, 7, 8], [7, 1, 1, 1]])
    prompts = torch.tensor([[5, 7, 1, 1], [5, 6, 1, 1], [7, 1, 1, 1]])
    found = contains(captions, prompts, pad_id=1)
    expected = [[False, True, True], [True, False, True], [False, False, True]]
    assert found.tolist() == expected


def test_similarities_are_those_of_the_model(case):
    batch = case.example.batch
    texts = [case.task.captions.decode(row) for row in batch["caption"]]
    got = case.task.similarities(case.model.eval(), batch["input"], texts)
    torch.testing.assert_close(got, logits_of(case))


def test_too_few_candidates(case):
    with pytest.raises(UserError, match="task.candidates=1: expected 2 or more"):
        Contrastive(copy.copy(case.task.captions), candidates=1)


def test_a_single_prompt_is_no_choice(case):
    with pytest.raises(UserError, match="task.prompts=.*: expected two different captions or more"):
        Contrastive(case.task.captions, prompts=["a", "a"])
    assert Contrastive(case.task.captions, prompts=["a", "b", "a"]).prompts == ["a", "b"]


def test_images_have_their_own_colours(case):
    unit = torch.zeros(12, 3, 8, 8)
    unit[:, :, ::2] = torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1)
    mean, std = [0.8, 0.1, 0.5], [0.02, 0.3, 0.1]
    task = Contrastive(case.task.captions, pixel_mean=mean, pixel_std=std)
    batch = case.example.batch | {"input": Pixels(mean, std).standardise(unit)}
    previews, vectors = Previews(), torch.randn(12, 5)
    task.preview(lambda images, captions: (vectors, vectors), batch, {}, previews)
    for figures in (previews.figures, previews.full):
        drawn = torch.as_tensor(figures["captions"].axes[0].images[0].get_array())
        assert torch.allclose(drawn[:2, 0].float(), unit[0, :, :2, 0].mT, atol=1e-5)
