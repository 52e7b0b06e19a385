"""Rules that tell classes from vectors agree with obvious loops and with scikit-learn, and know no patient too well."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from apical.tasks._view_rules import RULES, Linear, Neighbours, Prototypes, Rule
from apical.tasks._view_trust import trust_in

NAMES = sorted(RULES)


def built(name: str, num_classes: int = 3, k: int = 5) -> Rule:
    return RULES[name](num_classes, k=k, temperature=0.07, penalty=0.01)


def clouds(count: int, seed: int, size: int = 8, spread: float = 0.6) -> tuple[Tensor, Tensor]:
    """Vectors around three centres, and which."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(3, size, generator=torch.Generator().manual_seed(99))
    classes = torch.arange(count) % 3
    return centres[classes] + spread * torch.randn(count, size, generator=random), classes


def slow_vote(bank: Tensor, classes: Tensor, query: Tensor, k: int) -> list[float]:
    alike = [float(torch.dot(row, query) / row.norm() / query.norm()) for row in bank.double()]
    weights = [0.0] * 3
    for index in sorted(range(len(bank)), key=lambda index: -alike[index])[:k]:
        weights[int(classes[index])] += math.exp(alike[index] / 0.07)
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("k", [1, 5, 20, 500])
def test_the_vote_is_that_of_a_slow_loop(k: int) -> None:
    vectors, classes = clouds(300, 0)
    queries, _ = clouds(12, 1)
    rule = built("neighbours", k=k)
    rule.fit(vectors, classes)
    slow = [slow_vote(vectors, classes, query.double(), k) for query in queries]
    torch.testing.assert_close(rule.probabilities(queries), torch.tensor(slow), atol=2e-5, rtol=0)


def test_the_vote_is_that_of_scikit_learn() -> None:
    vectors, classes = clouds(400, 2, spread=1.5)
    queries, _ = clouds(90, 3, spread=1.5)
    rule = built("neighbours", k=10)
    rule.fit(vectors, classes)
    oracle = KNeighborsClassifier(
        10, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / 0.07)
    ).fit(vectors.numpy(), classes.numpy())
    expected = oracle.predict_proba(queries.numpy())
    np.testing.assert_allclose(rule.probabilities(queries).numpy(), expected, atol=1e-4)


def test_the_regression_is_that_of_scikit_learn() -> None:
    vectors, classes = clouds(150, 4, spread=1.5)
    queries, _ = clouds(40, 5, spread=1.5)
    rule = Linear(3, k=1, temperature=1.0, penalty=0.02)
    rule.fit(vectors, classes)
    scaled = (vectors - vectors.mean(0)) / vectors.std(0, correction=0)
    oracle = LogisticRegression(C=1 / (150 * 0.02), tol=1e-8, max_iter=5000).fit(scaled, classes)
    looked_at = (queries - vectors.mean(0)) / vectors.std(0, correction=0)
    np.testing.assert_allclose(rule.probabilities(queries), oracle.predict_proba(looked_at), atol=1e-4)


def test_prototypes_are_the_mean_directions_of_their_classes() -> None:
    vectors, classes = clouds(60, 6)
    rule = Prototypes(3, k=1, temperature=0.5, penalty=0.0)
    rule.fit(vectors, classes)
    units = vectors / vectors.norm(dim=1, keepdim=True)
    means = torch.stack([units[classes == each].mean(0) for each in range(3)])
    expected = (units @ (means / means.norm(dim=1, keepdim=True)).T / 0.5).softmax(1)
    torch.testing.assert_close(rule.probabilities(vectors), expected)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_sum_to_one_and_a_class_without_an_example_is_never_believed(name: str) -> None:
    vectors, classes = clouds(60, 7)
    rule = built(name, num_classes=5)
    rule.fit(vectors, classes + 1)
    found = rule.probabilities(vectors)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(60))
    assert (found[:, [0, 4]] == 0).all()
    assert (found.argmax(dim=1) == classes + 1).float().mean() > 0.8


@pytest.mark.parametrize("name", NAMES)
def test_the_same_lessons_give_the_same_rule_which_its_tensors_are(name: str) -> None:
    vectors, classes = clouds(50, 8)
    one, two, copied = (built(name) for _ in range(3))
    one.fit(vectors, classes)
    two.fit(vectors, classes)
    copied.take(one.tensors)
    assert set(one.tensors) == set(one.names)
    for other in (two, copied):
        assert torch.equal(one.probabilities(vectors), other.probabilities(vectors))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 2])
def test_one_image_and_one_class_are_enough(name: str, count: int) -> None:
    rule = built(name, num_classes=1)
    rule.fit(torch.randn(count, 6, generator=torch.Generator().manual_seed(0)), torch.zeros(count).long())
    found = rule.probabilities(torch.ones(3, 6))
    torch.testing.assert_close(found, torch.ones(3, 1))
    assert found.max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_a_patient_has_no_say_when_it_is_left_out(name: str) -> None:
    """Every image is there twice, with the patient's own number as its class: only the patient could tell."""
    vectors = torch.randn(12, 40, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    patients = torch.arange(12).repeat(2)
    rule = built(name, num_classes=12)
    rule.fit(vectors, patients)
    assert (rule.probabilities(vectors).argmax(dim=1) == patients).all()
    found = rule.left_out(vectors, patients, patients)
    assert (found.gather(1, patients[:, None]) == 0).all()
    torch.testing.assert_close(found.sum(dim=1), torch.ones(24))


def test_the_vote_of_other_patients_is_that_of_a_rule_without_the_patient() -> None:
    vectors, classes = clouds(40, 9)
    patients = torch.arange(40) // 7
    rule = built("neighbours")
    found = rule.left_out(vectors, classes, patients)
    for patient in range(6):
        own = patients == patient
        rule.fit(vectors[~own], classes[~own])
        torch.testing.assert_close(found[own], rule.probabilities(vectors[own]))


@pytest.mark.parametrize("name", NAMES)
def test_of_one_patient_nothing_is_said_when_it_is_left_out(name: str) -> None:
    vectors, classes = clouds(9, 10)
    assert (built(name).left_out(vectors, classes, torch.zeros(9).long()) == 0).all()


def beliefs_of(confidences: list[float]) -> Tensor:
    """Of the first class."""
    first = torch.tensor(confidences)
    return torch.stack([first, 1 - first], dim=1)


def test_the_threshold_is_the_lowest_confidence_that_keeps_the_promise() -> None:
    beliefs = beliefs_of([0.95, 0.9, 0.85, 0.8, 0.7, 0.6])
    right = torch.tensor([0, 0, 1, 0, 0, 1])
    for trusted, least, answered in ((0.95, 0.9, 2 / 6), (0.8, 0.7, 5 / 6), (0.6, 0.6, 1.0)):
        trust = trust_in(beliefs, right, trusted)
        assert trust.threshold == pytest.approx(least, abs=1e-5)
        assert trust.answered == pytest.approx(answered)
        assert trust.accuracy_of_answered is not None
        assert trust.accuracy_of_answered >= trusted
        assert trust.accuracy == pytest.approx(4 / 6)


def test_images_of_the_same_confidence_are_answered_together_or_not_at_all() -> None:
    """However a batch is rounded."""
    trust = trust_in(beliefs_of([1.0, 1.0 - 1e-7, 1.0, 0.6]), torch.tensor([0, 0, 1, 0]), 0.9)
    assert trust.threshold is None
    assert (trust.answered, trust.accuracy_of_answered, trust.accuracy) == (0.0, None, 0.75)
    trust = trust_in(beliefs_of([1.0, 1.0 - 1e-7, 0.6]), torch.tensor([0, 0, 1]), 0.9)
    assert trust.threshold is not None
    assert trust.threshold < 1.0 - 1e-7


def test_where_nobody_could_be_asked_nothing_is_trusted() -> None:
    trust = trust_in(torch.zeros(4, 2), torch.zeros(4).long(), 0.5)
    assert (trust.threshold, trust.images, trust.accuracy) == (None, 0, None)


def test_vectors_in_more_than_one_part_find_the_same_neighbours() -> None:
    vectors, classes = clouds(2100, 11, spread=2.0)
    rule = built("neighbours", k=7)
    assert isinstance(rule, Neighbours)
    rule.fit(vectors, classes)
    whole, some = rule.probabilities(vectors), rule.probabilities(vectors[1500:1503])
    torch.testing.assert_close(whole[1500:1503], some)
