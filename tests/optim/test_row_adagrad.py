"""Row-wise Adagrad against its equations; gradients that name rows instead of holding a table."""

import copy

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.optim.row_adagrad import stable_order, summed_rows
from zoo.registry import OPTIMIZERS
from zoo.training.precision import clip_gradients, rescale_gradients

ROWS, WIDTH = 9, 4


class Tables(nn.Module):
    """A table of vectors and a vector; looks rows up, some of them several times."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(ROWS, WIDTH)
        self.shift = nn.Parameter(torch.randn(WIDTH))

    def forward(self, rows):
        return (self.table(rows) + self.shift).square()


FEW, MANY = 6, 12  # lookups of a step: fewer or more than the table has rows


def draws(steps, size=FEW):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(ROWS - 1, (steps, size), generator=generator)  # the last row never comes


def build(model, **options):
    return OPTIMIZERS.build({"name": "row_adagrad", "lr": 0.3, **options}, model=model)


def backward(model, rows):
    model.zero_grad(set_to_none=True)
    model(rows).sum().backward()


def by_the_book(steps, size, lr=0.3, initial=0.0, eps=1e-10, decay=0.0):
    """The table after some steps, in float64, row by row."""
    model = Tables().double()
    table, shift = model.table.weight.detach().clone(), model.shift.detach().clone()
    squares = torch.full((ROWS,), initial, dtype=torch.float64)
    shifts = torch.full((WIDTH,), initial, dtype=torch.float64)
    for rows in draws(steps, size):
        gradients = torch.zeros_like(table)
        for row in rows.tolist():
            gradients[row] += 2 * (table[row] + shift)
        slope = sum(2 * (table[row] + shift) for row in rows.tolist())
        for row in set(rows.tolist()):
            g = gradients[row] + decay * table[row]
            squares[row] += g.square().mean()
            table[row] -= lr * g / (squares[row].sqrt() + eps)
        shifts += slope.square()
        shift -= lr * slope / (shifts.sqrt() + eps)
    return table, squares


@pytest.mark.parametrize(
    "options", [{}, dict(initial=0.5, eps=0.1), dict(weight_decay=0.2)], ids=str
)
@pytest.mark.parametrize("size", [FEW, MANY])
def test_follows_its_equations(options, size):
    model = Tables().double()
    optimizer = build(model, **options)
    for rows in draws(8, size):
        backward(model, rows)
        assert model.table.weight.grad.is_sparse
        optimizer.step()
    decay = options.get("weight_decay", 0.0)
    rest = {name: value for name, value in options.items() if name != "weight_decay"}
    table, squares = by_the_book(8, size, decay=decay, **rest)
    torch.testing.assert_close(model.table.weight.detach(), table)
    torch.testing.assert_close(optimizer.state[model.table.weight]["squares"], squares)


@pytest.mark.parametrize("options", [dict(initial=0.1), dict(weight_decay=0.2)], ids=str)
def test_dense_gradients_give_the_same(options):
    """They are a GPU's."""
    ones = Tables(), Tables()
    optimizers = [build(model, **options) for model in ones]
    ones[1].table.sparse = False
    for rows in draws(5):
        for model, optimizer in zip(ones, optimizers):
            backward(model, rows)
            optimizer.step()
    assert not ones[1].table.weight.grad.is_sparse
    torch.testing.assert_close(ones[0].table.weight, ones[1].table.weight)


@pytest.mark.parametrize("size", [FEW, MANY])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_rows_that_were_not_looked_up_stay_as_they_are(size, decay):
    model = Tables()
    optimizer = build(model, weight_decay=decay)
    before = model.table.weight.detach().clone()
    backward(model, draws(1, size)[0])
    optimizer.step()
    named = sorted(set(draws(1, size)[0].tolist()))
    others = [row for row in range(ROWS) if row not in named]
    assert torch.equal(model.table.weight[others], before[others])
    assert not (model.table.weight[named] == before[named]).all(1).any()


@pytest.mark.parametrize("rows", [60, 2**16 + 60], ids=["few rows", "numbers of 17 bits"])
@pytest.mark.parametrize("width", [(3,), (2, 3), ()], ids=str)
def test_sums_of_rows_are_those_of_coalesce(rows, width):
    generator = torch.Generator().manual_seed(0)
    names = torch.randint(40, (1, 200), generator=generator) + torch.tensor([0, rows - 40] * 100)
    values = torch.randn(200, *width, generator=generator, dtype=torch.float64)
    gradient = torch.sparse_coo_tensor(names, values, (rows, *width), check_invariants=True)
    expected = gradient.coalesce()
    for given in (gradient, expected):
        actual, sums = summed_rows(given)
        assert torch.equal(actual, expected.indices()[0])
        torch.testing.assert_close(sums, expected.values())


def test_no_rows_have_no_sums():
    nothing = torch.empty(1, 0, dtype=torch.int64), torch.empty(0, 3)
    rows, sums = summed_rows(torch.sparse_coo_tensor(*nothing, (9, 3), check_invariants=True))
    assert rows.shape == (0,) and sums.shape == (0, 3)


@pytest.mark.parametrize("limit", [9, 2**16, 2**16 + 1, 2**33])
def test_names_are_sorted_stably_whatever_their_size(limit):
    generator = torch.Generator().manual_seed(0)
    pool = torch.randint(limit, (30,), generator=generator)
    names = pool[torch.randint(30, (200,), generator=generator)]
    assert torch.equal(stable_order(names, limit), names.argsort(stable=True))


@pytest.mark.parametrize("limit", [None, 0.5, 1e6])
def test_clipping_sees_rows_as_a_table(limit):
    """The norm is that of the summed rows, of several backward passes too."""
    sparse, dense = Tables(), Tables()
    build(sparse)
    for model in (sparse, dense):
        for rows in draws(2):
            model(rows).sum().backward()
    norms = [clip_gradients(model.parameters(), limit) for model in (sparse, dense)]
    torch.testing.assert_close(*norms)
    assert sparse.table.weight.grad.is_coalesced()  # the optimizer need not sum again
    torch.testing.assert_close(sparse.table.weight.grad.to_dense(), dense.table.weight.grad)
    torch.testing.assert_close(sparse.shift.grad, dense.shift.grad)
    expected = nn.utils.get_total_norm([p.grad for p in dense.parameters()])
    assert limit != 0.5 or float(expected) == pytest.approx(0.5, rel=1e-4)


def test_gradients_of_rows_are_rescaled():
    model = Tables()
    build(model)
    backward(model, draws(1)[0])
    before = model.table.weight.grad.to_dense()
    rescale_gradients(model.parameters(), torch.tensor(0.25))
    torch.testing.assert_close(model.table.weight.grad.to_dense(), 0.25 * before)


def test_its_state_comes_back_bit_for_bit():
    from zoo.optim.state import load_optimizer, optimizer_tensors

    model = Tables()
    optimizer = build(model, initial=0.1)
    for rows in draws(3):
        backward(model, rows)
        optimizer.step()
    other = copy.deepcopy(model)
    names = {id(p): name for name, p in model.named_parameters()}
    saved = {n: t.clone() for n, t in optimizer_tensors(optimizer, names).items()}
    again = build(other, initial=0.1)
    load_optimizer(again, {id(p): name for name, p in other.named_parameters()}, saved)
    for rows in draws(3, MANY):
        for network, stepped in ((model, optimizer), (other, again)):
            backward(network, rows)
            stepped.step()
    assert torch.equal(model.table.weight, other.table.weight)


@pytest.mark.parametrize("options", [dict(lr=-1.0), dict(initial=-1.0), dict(eps=0.0)], ids=str)
def test_refuses_what_cannot_be(options):
    with pytest.raises(UserError, match="expected (none below 0|0 or more)"):
        build(Tables(), **options)
