"""The paper's three shares on maps that a hand can count, and what its released code counts instead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from apical.segments import Evidence
from apical.tasks._parcel_evidence import Counts, patches_of

LV, LA = 0, 1


def drawn(*rows: str) -> npt.NDArray[np.int64]:
    return np.array([[int(parcel) for parcel in row] for row in rows])


def masked(*rows: str) -> npt.NDArray[np.bool_]:
    """Masks of the ventricle, v, and the atrium, a."""
    letters = np.array([list(row) for row in rows])
    return np.stack([letters == "v", letters == "a"])


IMAGES = [
    (drawn("0011", "0011", "2233"), masked("....", "..vv", "aav.")),
    (drawn("0111", "0111", "2222"), masked(".vvv", ".vvv", "aaa.")),
    (drawn("0001", "0001", "0222"), masked("....", "....", ".aaa")),
    (drawn("0000", "0000", "0000"), masked("....", "vv..", "....")),
]


def counted(images: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]], **settings: float) -> Counts:
    counts = Counts(("lv", "la"), 6, **{"overlap": 0.75, **settings})  # type: ignore[arg-type]
    for parcels, masks in images:
        counts.add(parcels, masks)
    return counts


def test_the_three_shares_are_what_a_hand_counts() -> None:
    counts = counted(IMAGES)
    assert counts.images == 4
    assert counts.present.tolist() == [4, 3, 3, 1, 0, 0]
    assert counts.holds[LV].tolist() == [0, 1, 0, 0, 0, 0]
    assert counts.holds[LA].tolist() == [0, 0, 3, 0, 0, 0]
    np.testing.assert_allclose(counts.shares[LV], [2 / 12, 2 / 4 + 1 + 0, 0, 1 / 2, 0, 0])
    np.testing.assert_allclose(counts.shares[LA], [0, 0, 1 + 3 / 4 + 1, 0, 0, 0])


def test_an_overlap_that_is_just_enough_is_enough() -> None:
    assert counted(IMAGES, overlap=0.5).holds[LV].tolist() == [0, 2, 0, 1, 0, 0]
    assert counted(IMAGES, overlap=0.76).holds[LA].tolist() == [0, 0, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("holds", "presence", "lv", "la"),
    [
        (1 / 3, 0.75, (1,), (2,)),
        (0.34, 0.75, (), (2,)),
        (1 / 3, 0.76, (), ()),
        (0.0, 0.25, (0, 1, 2, 3), (0, 1, 2, 3)),
        (0.0, 0.26, (0, 1, 2), (0, 1, 2)),
        (1.0, 0.0, (), (2,)),
    ],
)
def test_members_hold_often_enough_and_are_seen_often_enough(
    holds: float, presence: float, lv: tuple[int, ...], la: tuple[int, ...]
) -> None:
    counts = counted(IMAGES)
    assert counts.members(LV, holds, presence) == lv
    assert counts.members(LA, holds, presence) == la


def test_a_parcel_that_never_occurs_is_no_member_and_has_no_evidence() -> None:
    counts = counted(IMAGES)
    for place in (LV, LA):
        assert not {4, 5} & set(counts.members(place, 0.0, 0.0))
        assert not {4, 5} & set(counts.members_as_released(place, 0.0, 0.0))
        assert not {4, 5} & set(counts.evidence(place))


def test_evidence_has_the_means_over_images_that_show_the_parcel_and_the_most_first() -> None:
    evidence = counted(IMAGES).evidence(LV)
    assert list(evidence) == [1, 3, 0]
    assert evidence[1] == Evidence(pytest.approx(0.5), pytest.approx(1 / 3), 0.75)  # type: ignore[arg-type]
    assert evidence[3] == Evidence(0.5, 0.0, 0.25)
    assert evidence[0] == Evidence(pytest.approx(2 / 12 / 4), 0.0, 1.0)  # type: ignore[arg-type]


def test_a_blank_frame_is_one_parcel_that_makes_nothing() -> None:
    blank = [(np.zeros((12, 12), np.int64), np.zeros((2, 12, 12), bool))] * 3
    for released in (False, True):
        counts = counted(blank, counts_patches=released)
        assert counts.present.tolist() == [3, 0, 0, 0, 0, 0]
        assert not counts.holds.any()
        assert counts.members(LV, 0.5, 0.3) == () == counts.members_as_released(LV, 0.5, 0.3)
        assert counts.evidence(LV) == {}


def test_before_the_first_image_nothing_is_known() -> None:
    counts = counted([])
    assert counts.members(LV, 0.0, 0.0) == () == counts.members_as_released(LV, 0.0, 0.0)
    assert counts.evidence(LA) == {}


def test_patches_hang_together_by_their_sides() -> None:
    patches = patches_of(drawn("0011", "0101", "1000"))
    assert patches.min() == 1
    assert patches.max() == len(np.unique(patches)) == 5
    assert patches[0, 0] == patches[1, 0] != patches[1, 2] == patches[2, 1]


class TestAsReleased:
    """There, a patch of a parcel counts by itself, and counts unless it is all but outside."""

    def images(self) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
        """Parcel 1 has a large patch outside and one in the ventricle, parcel 2 a patch with few pixels inside."""
        parcels = np.zeros((30, 30), np.int64)
        parcels[:10] = 1
        parcels[20:25, 10:15] = 1
        parcels[25:28, :12] = 2
        masks = np.zeros((2, 30, 30), bool)
        masks[0, 18:27, 8:17] = True
        return [(parcels, masks)]

    def test_a_patch_counts_with_ten_pixels_inside(self) -> None:
        (parcels, masks), *_ = self.images()
        assert masks[0][parcels == 2].sum() == 8
        counts = counted([(parcels, masks)], counts_patches=True)
        assert counts.holds[LV].tolist() == [1, 1, 0, 0, 0, 0]
        masks[0, 25:28, 7] = True
        assert masks[0][parcels == 2].sum() == 11
        assert counted([(parcels, masks)], counts_patches=True).holds[LV].tolist() == [1, 1, 1, 0, 0, 0]

    def test_a_patch_of_a_large_structure_counts_with_two_hundredths_of_it(self) -> None:
        parcels, masks = np.zeros((60, 60), np.int64), np.zeros((2, 60, 60), bool)
        masks[0, :50] = True
        parcels[0, :59], parcels[2] = 1, 2
        assert 0.02 * masks[0].sum() == 60
        counts = counted([(parcels, masks)], counts_patches=True)
        assert counts.holds[LV].tolist() == [1, 0, 1, 0, 0, 0]

    def test_patches_are_not_added_up(self) -> None:
        parcels, masks = np.zeros((30, 30), np.int64), np.zeros((2, 30, 30), bool)
        masks[0] = True
        parcels[::3, ::3] = 1
        assert (parcels == 1).sum() == 100
        assert counted([(parcels, masks)], counts_patches=True).holds[LV].tolist() == [1, 0, 0, 0, 0, 0]

    def test_the_papers_rule_wants_most_of_the_parcel(self) -> None:
        assert not counted(self.images()).holds.any()

    def test_members_must_hold_so_often_in_all_images(self) -> None:
        images = self.images() + [(np.zeros((30, 30), np.int64), np.zeros((2, 30, 30), bool))] * 3
        counts = counted(images, counts_patches=True)
        assert counts.members_as_released(LV, 0.5, 0.25) == (1,)
        assert counts.members_as_released(LV, 0.25, 0.25) == (0, 1)
        assert counts.members_as_released(LV, 0.5, 0.26) == ()
        assert counts.members(LV, 0.5, 0.25) == (1,)


def test_a_parcel_belongs_where_most_of_it_lies_on_average() -> None:
    """And to the background where it is a tie."""
    assert counted(IMAGES[:2]).owners().tolist() == [-1, 0, 1, -1, -1, -1]
    assert counted(IMAGES).owners().tolist() == [-1, -1, 1, -1, -1, -1]
