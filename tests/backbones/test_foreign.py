"""Files that others made: what they hold is read, nothing in them is run, and a broken one is named."""

from __future__ import annotations

import argparse
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from apical.backbones._foreign import bare_net, read_foreign
from apical.errors import ApicalError


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    for write in (torch.save, lambda held, path: path.write_bytes(pickle.dumps(held, protocol=2))):
        write({"conv1.weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
        with pytest.raises(ApicalError, match=r"trap\.pth.*may run code"):
            read_foreign(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"no weights", b"\x80\x02", b"PK\x03\x04rest", bytes(range(256)) * 9]
)
def test_a_file_of_something_else_is_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(content)
    with pytest.raises(ApicalError, match=f"odd{suffix}"):
        read_foreign(path)


def test_a_file_that_holds_no_dictionary_is_named(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ApicalError, match=r"list\.pth"):
        read_foreign(tmp_path / "list.pth")
    with pytest.raises(ApicalError, match=r"absent\.pth.*no such file"):
        read_foreign(tmp_path / "absent.pth")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch's, when that very byte is broken
@pytest.mark.parametrize("is_zipped", [True, False])
def test_a_broken_file_is_read_or_named_but_never_crashes(tmp_path: Path, is_zipped: bool) -> None:
    held = {"teacher": {"a": torch.ones(3)}, "args": argparse.Namespace(x=1, y="text"), "epoch": 3}
    whole = io.BytesIO()
    torch.save(held, whole, _use_new_zipfile_serialization=is_zipped)
    random = np.random.default_rng(0)
    outcomes: set[type] = set()
    for _ in range(100):
        broken = bytearray(whole.getvalue())
        broken[random.integers(min(len(broken), 900))] = random.integers(256)
        (tmp_path / "broken.pth").write_bytes(broken)
        try:
            outcomes.add(type(read_foreign(tmp_path / "broken.pth")))
        except ApicalError as error:
            outcomes.add(type(error))
    assert outcomes == {dict, ApicalError}


def test_the_teacher_is_preferred_to_the_student_and_heads_are_set_apart() -> None:
    one, two = torch.ones(1), torch.zeros(1)
    held = {
        "student": {"module.backbone.norm.weight": two},
        "teacher": {"backbone.norm.weight": one, "head.mlp.0.weight": two, "backbone.fc.bias": two},
        "epoch": 3,
    }
    net, heads = bare_net(held)
    assert net == {"norm.weight": one}
    assert heads == ("fc", "head")
