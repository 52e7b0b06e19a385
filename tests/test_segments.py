"""The file that says which parcels make what: what is written is read, edited or not, and what is broken is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from apical.errors import ApicalError
from apical.segments import BACKGROUND, Evidence, Look, Segments

TERMS = {"0": 0.5, "1": -1.25, "2": 3.1416, "x": 0.0, "y": 1.0, "xx": -7.5, "xy": 2.0, "yy": 0.0001}
BESIDE = {"u": 1.0, "v": -2.0, "uu": 0.0, "uv": 0.25, "vv": 4.0}


def look(**terms: float) -> Look:
    return {name: {**TERMS, **terms} for name in (BACKGROUND, "lv", "la")}


def segments(looks: tuple[Look, ...] = ()) -> Segments:
    return Segments(
        num_parcels=3,
        rule="weights" if looks else "paper",
        members={"lv": (0, 2), "la": ()},
        looks=looks,
        evidence={"lv": {2: Evidence(0.9, 1.0, 0.5), 0: Evidence(0.75, 0.333, 1.0)}, "la": {}},
        images=12,
    )


def edited(path: Path, old: str, new: str) -> Segments:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return Segments.read(path)


@pytest.mark.parametrize(
    "looks", [(), (look(),), (look(), look(**BESIDE))], ids=["lists", "a look", "two looks"]
)
def test_what_is_written_is_read(looks: tuple[Look, ...], tmp_path: Path) -> None:
    written, path = segments(looks), Segments.path(tmp_path)
    written.write(path)
    found = Segments.read(path)
    assert (found.members, found.looks, found.rule) == (written.members, looks, written.rule)
    assert (found.num_parcels, found.images) == (3, 12)
    assert found.evidence == written.evidence
    assert list(found.evidence["lv"]) == [2, 0]
    before = path.read_bytes()
    found.write(path)
    assert path.read_bytes() == before


def test_numbers_are_kept_to_four_places(tmp_path: Path) -> None:
    segments((look(x=0.123456789),)).write(tmp_path / "s.yaml")
    assert Segments.read(tmp_path / "s.yaml").looks[0]["lv"]["x"] == 0.1235


def test_numbers_that_decide_are_counted() -> None:
    assert segments().num_parameters == 2 * 3
    assert segments((look(), look(**BESIDE))).num_parameters == 3 * 8 + 3 * 13


def test_an_edited_file_is_read_as_edited(tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    segments((look(),)).write(path)
    assert edited(path, "parcels: [0, 2]", "parcels: [2, 1, 1]").members["lv"] == (1, 2)
    assert edited(path, "parcels: []", "parcels: [0]").members["la"] == (0,)
    assert edited(path, "x: 0.0", "x: -3").looks[0]["la"]["x"] == -3


def test_a_person_may_write_as_little_as_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("num_parcels: 8\nstructures: {lv: {parcels: [7, 3]}}\n")
    found = Segments.read(path)
    assert (found.rule, found.members, found.looks, found.images) == ("named", {"lv": (3, 7)}, (), 0)


def test_a_file_says_how_it_is_to_be_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    segments((look(),)).write(path)
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any("takes effect at once" in line for line in head)
    assert max(len(line) for line in path.read_text().splitlines()) <= 120


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "segments.yaml", tmp_path):
        with pytest.raises(ApicalError, match=rf"{path.name}.*is missing.*Put it back"):
            Segments.read(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"lv: [1, 2",
        b"\xff\xfe\x00",
        b"num_parcels: 3",
        b"num_parcels: many\nstructures: {lv: {parcels: [1]}}",
        b"num_parcels: 3\nstructures: [lv]",
        b"num_parcels: 3\nstructures: {lv: [1, 2]}",
        b"num_parcels: 3\nstructures: {lv: {parcels: }}",
        b"num_parcels: 3\nstructures: {lv: {parcels: 2}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: '12'}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: 0, 2}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: [1.5]}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: [true]}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: [red]}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: [1], evidence: {1: {overlap: 1}}}}",
        b"num_parcels: 3\nstructures: {lv: {parcels: [1]}}\nlooks: 4",
        b"num_parcels: 3\nstructures: {lv: {parcels: [1]}}\nlooks: [{lv: 4}]",
    ],
)
def test_a_file_that_is_broken_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    path.write_bytes(content)
    with pytest.raises(ApicalError, match=r"segments\.yaml.*can't be read.*Write it as"):
        Segments.read(path)


@pytest.mark.parametrize("parcel", [-1, 3, 99])
def test_a_parcel_that_there_is_not_is_told(parcel: int, tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    segments().write(path)
    with pytest.raises(
        ApicalError, match=rf"segments\.yaml.*lv has parcel {parcel}, but they are called 0 to 2"
    ):
        edited(path, "parcels: [0, 2]", f"parcels: [0, {parcel}]")


@pytest.mark.parametrize(("name", "term"), [("lv", "2"), (BACKGROUND, "x"), ("la", "yy"), ("la", "u")])
def test_weights_that_are_lacking_are_told(name: str, term: str, tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    segments((look(), look(**BESIDE))).write(path)
    values = yaml.safe_load(path.read_text())
    del values["looks"][1][name][int(term) if term.isdigit() else term]
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ApicalError, match=rf"segments\.yaml.*a look at {name} lacks .*{term}"):
        Segments.read(path)


def test_the_order_of_weights_in_the_file_means_nothing(tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    written = segments((look(), look(**BESIDE)))
    written.write(path)
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()), sort_keys=True))
    assert [[*each] for each in Segments.read(path).looks[1].values()] == [[*TERMS, *BESIDE]] * 3
    assert Segments.read(path).looks == written.looks


@pytest.mark.parametrize("terms", [{"z": 1.0}, {"x": float("nan")}, {"x": float("inf")}, {"9": 1.0}])
def test_weights_that_mean_nothing_are_told(terms: dict[str, float], tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    segments((look(**terms),)).write(path)
    with pytest.raises(ApicalError, match=r"segments\.yaml.*a look at background"):
        Segments.read(path)


def test_a_first_look_can_not_know_where_the_ventricle_is(tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    segments((look(**BESIDE),)).write(path)
    with pytest.raises(ApicalError, match=r"segments\.yaml.*the first look"):
        Segments.read(path)
