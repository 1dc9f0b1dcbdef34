"""Nearest vectors, analogies and the projection, against NumPy and scikit-learn."""

import numpy
import torch
from sklearn.decomposition import PCA

from zoo.inference.neighbours import combine, nearest, plane


def vectors(number=40, width=7, seed=0):
    return torch.randn(number, width, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    a, b = (x.double().numpy() for x in (a, b))
    return float(a @ b / numpy.linalg.norm(a) / numpy.linalg.norm(b))


def test_the_nearest_are_those_of_the_largest_cosines():
    table, queries = vectors(), vectors(3, seed=1)
    cosines, indices = nearest(table, queries, 5)
    for k, query in enumerate(queries):
        every = [cosine(row, query) for row in table]
        order = sorted(range(40), key=lambda i: -every[i])[:5]
        assert indices[k].tolist() == order
        numpy.testing.assert_allclose(cosines[k], [every[i] for i in order], atol=1e-6)


def test_length_does_not_matter():
    table = vectors()
    scaled = table * torch.rand(40, 1).add(0.1)
    assert torch.equal(nearest(table, table[:4], 3)[1], nearest(scaled, 9 * table[:4], 3)[1])


def test_excluded_vectors_are_left_out():
    table = vectors()
    exclude = torch.zeros(40, dtype=torch.bool)
    exclude[nearest(table, table[:1], 3)[1][0]] = True
    _, indices = nearest(table, table[:1], 37, exclude)
    assert not exclude[indices[0]].any() and len(set(indices[0].tolist())) == 37


def test_asking_for_more_than_there_are_gives_all():
    assert nearest(vectors(4), vectors(1), 9)[1].shape == (1, 4)


def test_a_sum_weighs_directions_not_lengths():
    table = vectors()
    table[3] *= 100
    got = combine(table, [(1.0, 2), (-1.0, 3), (1.0, 5)])
    units = [table[i].double().numpy() / numpy.linalg.norm(table[i].numpy()) for i in (2, 3, 5)]
    numpy.testing.assert_allclose(got, units[0] - units[1] + units[2], atol=1e-6)


def test_the_plane_is_that_of_the_principal_components():
    table = vectors()
    units = torch.nn.functional.normalize(table, dim=1).numpy()
    expected = PCA(2).fit_transform(units)
    got = plane(table).numpy()
    for k in range(2):  # a component's sign is arbitrary
        sign = numpy.sign((got[:, k] * expected[:, k]).sum())
        numpy.testing.assert_allclose(sign * got[:, k], expected[:, k], atol=1e-5)
