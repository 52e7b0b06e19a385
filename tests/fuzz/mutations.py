"""Broken files by the hundred: a whole file and a key come in, the same broken file comes out every time."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["CANARY", "Mutant", "gzipped", "mutant", "table_mutant", "with_true_checksums"]

Mutation = Callable[[bytes, np.random.Generator], bytes]

CANARY = "CANARYDOE"
"""Stands where a patient's name might; no message may repeat it."""
HEADER_BYTES = 400
"""Half of all mutations hit the file's start, where sizes and types stand."""
MOST_AT_ONCE = 3
EXTREMES = (
    *(b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0", b"\xff\xff", b"\x7f\xff", b"\xff\x7f"),
    *(b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\0\1\0\0", b"\0\0\1\0"),
)
"""Numbers of two and four bytes at the ends of their range, in either byte order."""
JUNK = (
    CANARY.encode(),
    b"\0" * 64,
    b"\xff" * 64,
    b'"',
    b"\r",
    b"\n\n",
    b",;\t",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
)
CELLS = (
    *("", "nan", "-inf", "1e400", "1e300", "-1e300", "9" * 400, "9223372036854775808", "-1", "0", "1e-320"),
    *("0x10", "1_0", "1,5", "½", "٣", "\0", '"', "'", "=1+1", "..", "/", "a" * 5000, CANARY, "TRAIN", "test"),
)
"""What may stand in a table's cell."""
PNG_MARK = b"\x89PNG\r\n\x1a\n"


class Mutant(NamedTuple):
    """A broken file, and the names of what was done to it, in order."""

    content: bytes
    done: str


def mutant(content: bytes, *key: int) -> Mutant:
    """Break a file's bytes in one to three ways: a pure function of the content and the key."""
    return _broken(content, MUTATIONS, np.random.default_rng(np.random.SeedSequence(key)))


def table_mutant(content: bytes, *key: int) -> Mutant:
    """Break a table, or another text of lines, in its bytes, its cells or its lines."""
    mutations = (*TEXT_MUTATIONS, *MUTATIONS)
    return _broken(content, mutations, np.random.default_rng(np.random.SeedSequence(key)))


def with_true_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have the checksums that they should have, so that decoders look into them."""
    if not content.startswith(PNG_MARK):
        return content
    mended, at = bytearray(PNG_MARK), len(PNG_MARK)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        body = content[at + 4 : at + 8 + length]
        mended += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(mended + content[at:])


def gzipped(content: bytes) -> bytes:
    """Compressed, the same bytes on every run."""
    return gzip.compress(content, compresslevel=1, mtime=0)


def _broken(content: bytes, mutations: Sequence[Mutation], draw: np.random.Generator) -> Mutant:
    picked = [
        mutations[pick] for pick in draw.integers(len(mutations), size=draw.integers(1, MOST_AT_ONCE + 1))
    ]
    for mutation in picked:
        content = mutation(content, draw)
    return Mutant(content, "+".join(mutation.__name__ for mutation in picked))


def _place(content: bytes, draw: np.random.Generator) -> int:
    reach = min(len(content), HEADER_BYTES) if draw.random() < 0.5 else len(content)
    return int(draw.integers(reach + 1))


def bit_flips(content: bytes, draw: np.random.Generator) -> bytes:
    broken = bytearray(content)
    for _ in range(int(draw.integers(1, 9)) if content else 0):
        broken[min(_place(content, draw), len(content) - 1)] ^= 1 << int(draw.integers(8))
    return bytes(broken)


def overwritten_run(content: bytes, draw: np.random.Generator) -> bytes:
    start, length = _place(content, draw), int(draw.integers(1, 65))
    run = draw.integers(256, size=length, dtype=np.uint8).tobytes()
    return (content[:start] + run + content[start + length :])[: len(content)]


def truncated(content: bytes, draw: np.random.Generator) -> bytes:
    return content[: _place(content, draw)]


def junk_inserted(content: bytes, draw: np.random.Generator) -> bytes:
    start, noise = _place(content, draw), draw.integers(256, size=40, dtype=np.uint8).tobytes()
    return content[:start] + (*JUNK, noise)[draw.integers(len(JUNK) + 1)] + content[start:]


def block_doubled(content: bytes, draw: np.random.Generator) -> bytes:
    start, length = _place(content, draw), int(draw.integers(1, 257))
    return content[: start + length] + content[start:]


def block_lost(content: bytes, draw: np.random.Generator) -> bytes:
    start, length = _place(content, draw), int(draw.integers(1, 257))
    return content[:start] + content[start + length :]


def field_to_extreme(content: bytes, draw: np.random.Generator) -> bytes:
    start, extreme = _place(content, draw), EXTREMES[draw.integers(len(EXTREMES))]
    start -= start % 2  # fields of most formats lie at even places
    return (content[:start] + extreme + content[start + len(extreme) :])[: len(content)]


def halves_swapped(content: bytes, draw: np.random.Generator) -> bytes:
    middle = _place(content, draw)
    return content[middle:] + content[:middle]


def cell_replaced(content: bytes, draw: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    line = int(draw.integers(len(lines)))
    separator = b"," if b"," in lines[line] else b":"
    cells = lines[line].split(separator)
    cells[draw.integers(len(cells))] = CELLS[draw.integers(len(CELLS))].encode()
    return b"\n".join([*lines[:line], separator.join(cells), *lines[line + 1 :]])


def column_replaced(content: bytes, draw: np.random.Generator) -> bytes:
    """Put one word into the same cell of every line but the first."""
    first, *lines = content.split(b"\n")
    column = int(draw.integers(first.count(b",") + 1))
    cell = CELLS[draw.integers(len(CELLS))].encode()
    rows = [line.split(b",") for line in lines]
    return b"\n".join([first, *(b",".join([*row[:column], cell, *row[column + 1 :]]) for row in rows)])


def lines_shuffled(content: bytes, draw: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    start = int(draw.integers(2))  # with or without the header
    order = draw.permutation(len(lines) - start) + start
    return b"\n".join([*lines[:start], *(lines[line] for line in order)])


def separator_changed(content: bytes, draw: np.random.Generator) -> bytes:
    return content.replace(b",", (b";", b"\t", b"|", b",,")[draw.integers(4)])


def encoded_otherwise(content: bytes, draw: np.random.Generator) -> bytes:
    text = content.decode("latin-1")
    return text.encode(("utf-16", "utf-16-le", "utf-8-sig", "utf-32")[draw.integers(4)])


MUTATIONS: tuple[Mutation, ...] = (
    *(bit_flips, bit_flips, bit_flips, field_to_extreme, field_to_extreme, field_to_extreme),
    *(overwritten_run, truncated, junk_inserted, block_doubled, block_lost, halves_swapped),
)
"""Each as often as it stands here: the gentle ones get past the first check of a header."""
TEXT_MUTATIONS: tuple[Mutation, ...] = (
    *(cell_replaced, cell_replaced, cell_replaced, cell_replaced, column_replaced, column_replaced),
    *(lines_shuffled, separator_changed, encoded_otherwise),
)
