"""How fast is a training step of RAPTOR? Ours beside the way its paper's code does it, on the same tokens, in turns.

That way, restated here from its description: one sequence after the other, for each of the three comparisons the
matrices of all tokens by all tokens, first of features and then of parcels' shares, and after each sequence a gradient
of its own. (It also counts a histogram of each matrix, which is left out here.) Ours never makes such a matrix.
Medians of the seconds of a step (loss, gradient, optimiser) on the frozen encoder's tokens are printed, those of the
encoder itself, and how far the two losses lie apart.

    python benchmarks/raptor.py [--side 28] [--sequences 5] [--frames 16] [--parcels 64] [--rounds 3] [--device auto]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from apical.backbones.base import Backbone
from apical.backbones.vit_small import ViTSmall
from apical.encoders import backbone_from
from apical.methods._parcel_head import ParcelHead, ParcelHeadConfig
from apical.methods.raptor import Sums, correspondence, sums_of
from apical.precision import Precision, autocast

DIM, PATCH = 384, 4
SELF, CLIP, OTHER = 1.0, 0.5, 1.0
SHIFT = 0.3
AIM = 20

Way = Callable[[], float]


@dataclass(frozen=True)
class Draw:
    """What is random about a step."""

    frames: Tensor
    """(B,): the frame of each sequence that the others are compared with."""
    others: Tensor
    """(B,): the other sequence."""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=28, help="tokens a side of a frame")
    parser.add_argument("--sequences", type=int, default=5)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--parcels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    chosen = parser.parse_args(arguments)
    is_gpu = chosen.device == "cuda" or (chosen.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if is_gpu else "cpu")
    torch.manual_seed(0)
    B, T = chosen.sequences, chosen.frames
    tokens = tokens_like_tissue(B, T, chosen.side**2 + 1).to(device)
    draw = Draw(torch.randint(T, (B,)), (torch.arange(B) + 1) % B)
    head = head_of(chosen.parcels, chosen.side).to(device)
    ways: dict[str, Callable[[], Tensor]] = {
        "one sequence after the other": lambda: looped_step(head, tokens, draw),
        "apical": lambda: our_step(head, tokens, draw),
    }
    apart = losses_apart(head, tokens, draw)
    seconds = medians({name: timed(way, device) for name, way in ways.items()}, chosen.rounds)
    encoder = medians(encoders(chosen.side, B * T, device), 1)
    show(chosen, device, seconds, encoder, apart)


def tokens_like_tissue(sequences: int, frames: int, count: int) -> Tensor:
    """Tokens (B, T, N, D) in a few heaps that differ in size: of noise alone, no two would be alike."""
    heaps = 3 * torch.randn(12, DIM)
    return heaps[(torch.rand(sequences, frames, count).square() * 12).long()] + torch.randn(
        sequences, frames, count, DIM
    )


def backbone_of(side: int) -> Backbone:
    """ViT-S/4 for so many tokens a side."""
    return backbone_from(
        ViTSmall.Config.model_validate({"name": "vit_small", "patch": PATCH, "image_size": side * PATCH})
    ).eval()


def head_of(parcels: int, side: int) -> ParcelHead:
    """The paper's."""
    return ParcelHead(backbone_of(side), ParcelHeadConfig(parcels=parcels))


def looped_step(head: ParcelHead, tokens: Tensor, draw: Draw) -> Tensor:
    """Sequences and matrices; after each sequence a gradient, for which all that was worked out is kept."""
    shares = list(head(tokens).softmax(dim=-1))
    losses = []
    for index in range(len(tokens)):
        loss = looped_loss(tokens, shares, draw, index)
        torch.autograd.backward(loss, retain_graph=True)
        losses.append(loss.detach())
    return torch.stack(losses).mean()


def looped_loss(tokens: Tensor, shares: list[Tensor], draw: Draw, index: int) -> Tensor:
    """The loss of one sequence."""
    frame, other = int(draw.frames[index]), int(draw.others[index])
    mine = tokens[index], shares[index]
    chosen = tokens[index, frame].expand_as(tokens[index]), shares[index][frame].expand_as(shares[index])
    others = tokens[other], shares[other]
    return (
        SELF * matrix_term(*mine, *mine)
        + CLIP * matrix_term(*chosen, *mine)
        + OTHER * matrix_term(*mine, *others)
    )


def matrix_term(one: Tensor, one_shares: Tensor, two: Tensor, two_shares: Tensor) -> Tensor:
    """A comparison of frames (T, N, D) with frames, pair of tokens by pair of tokens."""
    alike = functional.normalize(one, dim=-1) @ functional.normalize(two, dim=-1).mT
    alike = alike - alike.mean(dim=-1, keepdim=True)
    parts = functional.normalize(one_shares, dim=-1) @ functional.normalize(two_shares, dim=-1).mT
    return -((alike - SHIFT) * parts.clamp(min=0)).mean()


def our_step(head: ParcelHead, tokens: Tensor, draw: Draw) -> Tensor:
    """A gradient by sums over tokens."""
    with autocast("auto", tokens.device):
        scores = head(tokens)
    sums = sums_of(tokens, scores.float().softmax(dim=-1))
    loss = our_loss(sums, draw)
    torch.autograd.backward(loss)
    return loss.detach()


def our_loss(sums: Sums, draw: Draw) -> Tensor:
    """The mean over sequences."""
    rows = torch.arange(len(draw.frames))
    chosen = Sums(*(part[rows, draw.frames][:, None] for part in sums))
    others = Sums(*(part[draw.others] for part in sums))
    return (
        SELF * correspondence(sums, sums, SHIFT)
        + CLIP * correspondence(chosen, sums, SHIFT)
        + OTHER * correspondence(sums, others, SHIFT)
    ).mean()


def losses_apart(head: ParcelHead, tokens: Tensor, draw: Draw) -> float:
    """How far the two losses lie apart, both in float32."""
    with torch.no_grad():
        shares = head(tokens).softmax(dim=-1)
        looped = sum(looped_loss(tokens, list(shares), draw, index) for index in range(len(tokens)))
        return float((looped / len(tokens) - our_loss(sums_of(tokens, shares), draw)).abs())


def encoders(side: int, count: int, device: torch.device) -> dict[str, Way]:
    """ViT-S/4 on all frames of a step, in float32 and as training takes it."""
    size = side * PATCH
    net = backbone_of(side).to(device)
    images = torch.rand(count, 1, size, size, device=device)

    def seen(precision: Precision) -> Callable[[], Tensor]:
        def look() -> Tensor:
            with torch.no_grad(), autocast(precision, device):
                return torch.cat([net(part).map for part in torch.split(images, 16)])

        return look

    return {"32": timed(seen("32"), device), "auto": timed(seen("auto"), device)}


def timed(work: Callable[[], Tensor], device: torch.device) -> Way:
    """Seconds of it, on the wall."""

    def way() -> float:
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return way


def medians(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Of the rounds, in which all take turns; a first round is for warming up."""
    turns = [{name: way() for name, way in ways.items()} for _ in range(rounds + 1)][1:]
    return {name: statistics.median(turn[name] for turn in turns) for name in ways}


def show(
    chosen: argparse.Namespace,
    device: torch.device,
    seconds: dict[str, float],
    encoder: dict[str, float],
    apart: float,
) -> None:
    """Print."""
    loop, ours = seconds["one sequence after the other"], seconds["apical"]
    print(
        f"{chosen.sequences} sequences of {chosen.frames} frames of {chosen.side}² tokens and the class token, "
        f"K = {chosen.parcels}, on {device.type} with {torch.get_num_threads()} threads; seconds of a step"
    )
    print(f"  head, one sequence after the other {loop:9.3f}")
    print(f"  head, apical                       {ours:9.3f}   {loop / ours:.1f}×, aim {AIM}×")
    print(f"  encoder in float32                 {encoder['32']:9.3f}")
    print(
        f"  encoder as training takes it       {encoder['auto']:9.3f}   {encoder['32'] / encoder['auto']:.1f}×"
    )
    whole = (loop + encoder["32"]) / (ours + encoder["auto"])
    print(f"  both: {whole:.1f}×")
    print(f"  losses lie {apart:.1e} apart")


if __name__ == "__main__":
    main()
