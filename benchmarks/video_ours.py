"""Our own steps on clips, as `apical pretrain echoclr` and a fine-tuning take them; their FLOPs can be asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from apical import registry
from apical.config import read_config
from apical.dataset import Dataset
from apical.launch import start
from apical.layout import channels_last
from apical.moment import Moment
from apical.precision import autocast, resolve_precision
from apical.pretraining import PretrainConfig, Pretraining
from apical.trainer import Trainer

__all__ = ["RATE", "Clips", "Counted", "OurFinetuning", "OurPretraining", "counted"]

EPOCHS = 10_000
"""More than any benchmark sees."""
PAIRS_A_STUDY = 64
"""So that few studies fill a batch."""
RATE = 1e-3
"""The learning rate of all ways: at the paper's 0.1 numbers may run away, and odd numbers are slow."""


@dataclass(frozen=True)
class Clips:
    """What a step sees."""

    batch: int
    """Clips, or pairs of clips."""
    frames: int
    side: int
    """Height and width."""


@dataclass(frozen=True)
class Counted:
    """What a step takes."""

    flops: int
    """Forward and backward, products with what pads a clip included."""
    needed: float
    """The share of them that doesn't multiply the empty frames before and behind a clip."""


class OurPretraining:
    """EchoCLR with R3D-18 by our own job and trainer; views as the paper has them."""

    def __init__(self, clips: Clips, dataset: Dataset, device: torch.device) -> None:
        place = {"zoom": [1.0, 1.0], "shift": 8 / 112, "rotation_degrees": 10.0, "flip_probability": 0.5}
        config = read_config(
            PretrainConfig,
            data=str(dataset.folder),
            method={"name": "echoclr", "frames": clips.frames},
            backbone="r3d_18",
            sampling={"name": "study_pairs", "frames": clips.frames, "per_study": PAIRS_A_STUDY},
            views={"pair": {"count": 2, "size": clips.side, "place": place}},
            optimiser={"name": "adam", "lr": RATE},
            batch_size=clips.batch,
            epochs=EPOCHS,
            device=device.type,
        )
        fabric = start(config)
        self.device = fabric.device
        self.arithmetic = resolve_precision("auto", fabric.device)
        self.job = Pretraining(config, dataset, fabric)
        self.trainer = Trainer(self.job, config, fabric)
        self.moment = Moment(0, self.job.steps_per_epoch, EPOCHS)

    def step(self) -> None:
        """Take a step, batch and all."""
        self.trainer.step(self._next())

    def make_batch(self) -> None:
        """Make a batch and leave it at that."""
        self.job.batch(self._next(), 0, 1)

    def close(self) -> None:
        """End what runs beside training."""
        self.job.close()

    def _next(self) -> Moment:
        now = self.moment
        self.moment = now.after(now.step + 1)
        return now


class OurFinetuning:
    """A backbone and a logit, as a fine-tuning trains them, on clips that are there already."""

    def __init__(self, clips: Clips, device: torch.device, backbone: str = "r3d_18") -> None:
        torch.manual_seed(0)
        self.device = device
        self.clips = torch.rand(clips.batch, 1, clips.frames, clips.side, clips.side, device=device)
        kind = registry.load("backbones", backbone)
        encoder = kind(kind.Config())
        self.net = channels_last(nn.ModuleList([encoder, nn.Linear(encoder.num_features, 1)]).to(device))
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=RATE, foreach=True)

    def step(self) -> None:
        """Forward, backward, and a step of the optimiser."""
        backbone, head = self.net
        self.optimiser.zero_grad()
        with autocast("auto", self.device):
            logits = head(backbone(self.clips).vector)
        torch.autograd.backward(nn.functional.softplus(logits.float()).mean())
        self.optimiser.step()


def counted(net: nn.Module, ours: OurPretraining | OurFinetuning) -> Counted:
    """The FLOPs of one step, counted as it is taken; `net` is what convolves in it."""
    all_products, needed = [0.0], [0.0]

    def note(layer: nn.Conv3d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        products = output.numel() * layer.weight[0].numel()
        all_products.append(products)
        needed.append(products * _share_within(layer, inputs[0].shape[2], output.shape[2]))

    hooks = [each.register_forward_hook(note) for each in net.modules() if isinstance(each, nn.Conv3d)]
    with FlopCounterMode(display=False) as counter:
        ours.step()
    for hook in hooks:
        hook.remove()
    return Counted(int(counter.get_total_flops()), sum(needed) / sum(all_products))


def _share_within(layer: nn.Conv3d, frames: int, made: int) -> float:
    """Of all frames that a kernel lies on, the share that isn't padding."""
    depth, begin = layer.kernel_size[0], -int(layer.padding[0])
    starts = (begin + layer.stride[0] * place for place in range(made))
    within = sum(0 <= start + tap < frames for start in starts for tap in range(depth))
    return within / (made * depth)
