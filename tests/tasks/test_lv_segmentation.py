"""The segmentation: what it tells apart, and losses that are those of torch and monai where definitions agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from apical.dataset import Dataset
from apical.errors import ApicalError
from apical.tasks._mask_answers import MaskAnswers, traced_images
from apical.tasks._mask_heads import Exclusive, Independent
from apical.tasks._mask_task import dice_of
from apical.tasks.lv_segmentation import LVSegmentation, LVSegmentationConfig, soft_dice
from tests.tasks.painted import Painting, heart, painted


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return painted(tmp_path_factory.mktemp("painted") / "dataset", splits=["train"] * 3)


def built(*structures: str, **settings: Any) -> LVSegmentation:
    config = {"structures": structures or ("lv", "myo", "la"), **settings}
    return LVSegmentation(LVSegmentationConfig.model_validate(config))


def settled(dataset: Dataset, **settings: Any) -> tuple[str, ...] | None:
    return LVSegmentation.settled(LVSegmentationConfig.model_validate(settings), dataset).structures


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def classes(count: int) -> Tensor:
    """(3, 16, 12): a class for each pixel, the background first."""
    return torch.randint(0, count + 1, (3, 16, 12), generator=torch.Generator().manual_seed(5))


def as_masks(labels: Tensor, count: int) -> Tensor:
    """(B, S, H, W): hard masks, without the background."""
    return functional.one_hot(labels, count + 1).permute(0, 3, 1, 2)[:, 1:].float()


class TestStructures:
    def test_they_are_those_of_the_dataset_in_their_usual_order(
        self, dataset: Dataset, tmp_path: Path
    ) -> None:
        assert settled(dataset) == ("lv", "myo", "la")
        assert settled(dataset, structures=["la", "lv"]) == ("lv", "la")
        assert settled(dataset, structures=["lv"]) == ("lv",)
        assert settled(painted(tmp_path / "lv", structures=["lv"], splits=["train"])) == ("lv",)

    def test_one_that_is_seldom_traced_is_not_taken_unasked(self, tmp_path: Path) -> None:
        seldom = painted(tmp_path / "a", splits=["train"] * 3, untraced=[("p00", "la"), ("p01", "la")])
        assert settled(seldom) == ("lv", "myo")
        assert settled(seldom, structures=["lv", "la"]) == ("lv", "la")

    def test_one_that_is_not_traced_is_refused(self, tmp_path: Path) -> None:
        only = painted(tmp_path / "a", structures=["lv", "la"], splits=["train"])
        with pytest.raises(ApicalError, match=r"myo is not traced.*task\.structures to some of: la, lv"):
            settled(only, structures=["lv", "myo"])

    def test_without_the_ventricle_nothing_is_learnt(self, dataset: Dataset, tmp_path: Path) -> None:
        with pytest.raises(ApicalError, match="the left ventricle must be one"):
            settled(dataset, structures=["myo"])
        for name, structures in {"la": ["la"], "none": []}.items():
            with pytest.raises(ApicalError, match="No left ventricle is traced"):
                settled(painted(tmp_path / name, structures=structures, splits=["train"]))

    def test_one_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'lv', 'myo' or 'la'"):
            LVSegmentationConfig.model_validate({"structures": ["rv"]})

    @pytest.mark.parametrize(("head", "outputs"), [("exclusive", 4), ("independent", 3)])
    def test_there_is_an_output_for_each_and_for_the_background_where_they_exclude_each_other(
        self, head: str, outputs: int
    ) -> None:
        assert built(head=head).num_outputs == outputs


class TestExamples:
    def test_frames_that_lack_a_structure_are_left_out(self, tmp_path: Path) -> None:
        dataset = painted(
            tmp_path / "a", splits=["train"] * 2, untraced=[("p00-a4c", "la"), ("p01-a2c", "es")]
        )
        clips = dataset.usable_clips
        every = traced_images(dataset, clips, ["lv", "myo", "la"]).select("clip", "frame").rows()
        assert every == [("p00-a2c", 0), ("p00-a2c", 2), ("p01-a4c", 0), ("p01-a4c", 2), ("p01-a2c", 0)]
        assert len(traced_images(dataset, clips, ["lv"])) == 7

    def test_answers_are_the_masks_as_stored(self, dataset: Dataset) -> None:
        examples = traced_images(dataset, dataset.usable_clips, ["lv", "la"])
        answers = MaskAnswers(dataset, examples, ["la", "lv"]).at(torch.arange(len(examples)), None, (40, 32))
        for row, masks in zip(examples.iter_rows(named=True), answers, strict=True):
            truth = heart(Painting(), row["row"], row["frame"])
            for structure, mask in zip(("la", "lv"), masks, strict=True):
                assert torch.equal(mask.bool(), torch.from_numpy(Painting().fit.labels(truth[structure])))

    def test_smaller_answers_keep_the_share_of_the_area(self, dataset: Dataset) -> None:
        examples = traced_images(dataset, dataset.usable_clips, ["lv"])
        answers, places = MaskAnswers(dataset, examples, ["lv"]), torch.arange(4)
        whole, small = (answers.at(places, None, size) for size in ((40, 32), (20, 16)))
        torch.testing.assert_close(small.mean((2, 3)), whole.mean((2, 3)), rtol=0, atol=0.005)
        assert 0 <= small.min() < small.max() <= 1


class TestLosses:
    @pytest.mark.parametrize("count", [1, 3])
    def test_the_independent_head_has_the_cross_entropy_of_torch(self, count: int) -> None:
        outputs, truths = noise(2, count, 9, 7), noise(2, count, 9, 7, seed=1).sigmoid()
        found = Independent(count).cross_entropy(outputs, truths).mean()
        torch.testing.assert_close(found, functional.binary_cross_entropy_with_logits(outputs, truths))

    @pytest.mark.parametrize("count", [1, 3])
    def test_the_exclusive_head_has_that_of_torch_on_hard_labels(self, count: int) -> None:
        outputs, labels = noise(3, count + 1, 16, 12), classes(count)
        found = Exclusive(count).cross_entropy(outputs, as_masks(labels, count))
        torch.testing.assert_close(found, functional.cross_entropy(outputs, labels, reduction="none"))

    def test_the_exclusive_head_has_that_of_torch_on_shares_too(self) -> None:
        outputs, shares = noise(2, 4, 8, 8), noise(2, 4, 8, 8, seed=2).softmax(dim=1)
        found = Exclusive(3).cross_entropy(outputs, shares[:, 1:]).mean()
        torch.testing.assert_close(found, functional.cross_entropy(outputs, shares))

    @pytest.mark.parametrize("count", [1, 3])
    def test_soft_dice_is_that_of_monai_over_the_batch(self, count: int) -> None:
        outputs, truths = noise(3, count, 16, 12), as_masks(classes(count), count)
        theirs = DiceLoss(sigmoid=True, batch=True, smooth_nr=1, smooth_dr=1, reduction="none")
        found = 1 - soft_dice(outputs.sigmoid(), truths)
        torch.testing.assert_close(found, theirs(outputs, truths).flatten())

    def test_soft_dice_of_classes_is_that_of_monai_without_the_background(self) -> None:
        outputs, labels = noise(3, 4, 16, 12), classes(3)
        theirs = DiceLoss(
            softmax=True, to_onehot_y=True, include_background=False, batch=True, smooth_nr=1, smooth_dr=1
        )
        found = built(cross_entropy=0).loss(outputs, as_masks(labels, 3))
        torch.testing.assert_close(found["loss"], theirs(outputs, labels[:, None]))

    @pytest.mark.parametrize("head", ["exclusive", "independent"])
    def test_the_loss_is_the_weighted_sum_of_its_parts(self, head: str) -> None:
        task = built(head=head, cross_entropy=0.3, dice=2.0)
        losses = task.loss(noise(3, task.num_outputs, 16, 12), as_masks(classes(3), 3))
        torch.testing.assert_close(
            losses["loss"], 0.3 * losses["cross_entropy"] + 2 * losses["soft_dice_loss"]
        )

    @pytest.mark.parametrize("head", ["exclusive", "independent"])
    def test_of_what_a_teacher_is_not_sure_only_the_overlap_is_learnt(self, head: str) -> None:
        task = built(head=head, dice=0)
        outputs = noise(3, task.num_outputs, 16, 12)
        beliefs = task.beliefs(3 * noise(3, task.num_outputs, 16, 12, seed=1))
        certainty = task.head.certainty(beliefs)
        surprise = task.head.cross_entropy(outputs, beliefs)
        for threshold in (0.0, 0.7, 0.9):
            expected = surprise[certainty >= threshold].sum() / surprise.numel()
            torch.testing.assert_close(task.disagreement(outputs, beliefs, threshold), expected)
        assert (
            task.disagreement(outputs, torch.full_like(beliefs, 0.5 if head == "independent" else 0.25), 0.9)
            == 0
        )


class TestMasks:
    def test_classes_are_the_largest_output(self) -> None:
        outputs, head = noise(3, 4, 16, 12), Exclusive(3)
        expected = as_masks(outputs.argmax(dim=1), 3).bool()
        assert torch.equal(head.masks(head.beliefs(outputs)), expected)
        assert (head.masks(head.beliefs(outputs)).sum(dim=1) <= 1).all()

    def test_a_yes_is_an_output_above_zero(self) -> None:
        outputs, head = noise(3, 2, 16, 12), Independent(2)
        assert torch.equal(head.masks(head.beliefs(outputs)), outputs > 0)

    def test_certainty_is_the_probability_of_the_likeliest_answer(self) -> None:
        outputs = noise(3, 4, 16, 12)
        exclusive = Exclusive(3).certainty(Exclusive(3).beliefs(outputs))
        torch.testing.assert_close(exclusive, outputs.softmax(dim=1).amax(dim=1))
        independent = Independent(4).certainty(Independent(4).beliefs(outputs))
        torch.testing.assert_close(independent, outputs.abs().sigmoid().amin(dim=1))

    def test_figures_are_the_dice_of_each_image_and_structure(self) -> None:
        task, labels = built(), classes(3)
        found = task.figures(task.beliefs(noise(3, 4, 16, 12)), as_masks(labels, 3))
        best = noise(3, 4, 16, 12).argmax(dim=1)
        assert list(found) == ["dice", "dice_myo", "dice_la"]
        for number, dice in enumerate(found.values(), start=1):
            pairs = zip((best == number).numpy(), (labels == number).numpy(), strict=True)
            assert dice.tolist() == pytest.approx([dice_of(*pair) for pair in pairs])

    def test_nothing_where_nothing_is_is_perfect(self) -> None:
        task, nothing = built("lv"), torch.zeros(2, 1, 8, 8)
        outputs = torch.tensor([5.0, -5.0]).view(1, 2, 1, 1).expand(2, 2, 8, 8)
        assert task.figures(task.beliefs(outputs), nothing)["dice"].tolist() == [1, 1]
        assert task.figures(task.beliefs(-outputs), nothing)["dice"].tolist() == [0, 0]
