"""Which generation a board speaks: by its software version, confirmed by the structure of its first cell info frame.

Neither alone is enough. JK-B5A24S with software 8.0.3M speaks JK04 while JK-BD6A20S10P with 4.1.7 speaks JK02; a board
without cells has no structure to see. A wrong generation is silent: cell voltages look right and all else is garbage.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .layout import CELL_SLOTS_24S, CELL_SLOTS_32S, Generation

FIRST_32S_SOFTWARE: Final = 11
NEWEST_KNOWN_SOFTWARE: Final = 20
_BALANCER: Final = re.compile(r"JK[-_]DZ", re.IGNORECASE)
_NAME: Final = re.compile(r"JK[-_](?P<series>PB|BD|B|DZ\d*B)(?P<balance>\d+)A(?P<cells>\d+)S-?(?:(?P<current>\d+)P)?")
"""What a model's name says: balance current in A (tenths of it in the BD series), cells, current in tens of A."""
_MAJOR: Final = re.compile(r"\d+")

# A real frame's own average lies within 3 mV of the mean of its cells (1817 of 1818 recorded frames).
_AVERAGE_TOLERANCE_MV: Final = 3
_AVERAGE_TOLERANCE_V: Final = 0.003_5


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of a board: enough to read its frames."""

    generation: Generation = Generation.JK02_32S
    software_major: int | None = None
    is_balancer: bool = False
    confirmed: bool = False
    """Whether a cell info frame has shown the structure of the generation."""
    ratings: Mapping[str, float] = field(default_factory=dict)
    """The most that the model's name allows, by the key of the setting: a board refuses to be set to more."""

    @property
    def newer_than_known(self) -> bool:
        """Whether the software is newer than any that has been seen: read as the newest generation, on trust."""
        return self.software_major is not None and self.software_major > NEWEST_KNOWN_SOFTWARE

    @property
    def certain(self) -> bool:
        """Whether there is a reason to believe in the generation at all: a version, or a structure."""
        return self.confirmed or self.software_major is not None


def board_of(model: str, software_version: str) -> Board:
    """Return what the device info frame says of the board; an empty or odd version leaves the generation open."""
    match = _MAJOR.search(software_version.lstrip("Vv"))
    major = int(match[0]) if match and match.start() == 0 else None
    is_24s = major is not None and major < FIRST_32S_SOFTWARE
    return Board(
        generation=Generation.JK02_24S if is_24s else Generation.JK02_32S,
        software_major=major,
        is_balancer=_BALANCER.match(model) is not None,
        ratings=_ratings(model),
    )


def _ratings(model: str) -> dict[str, float]:
    """Return what the name of a model says of it; nothing for names of another kind."""
    match = _NAME.match(model)
    if match is None:
        return {}
    ratings = {
        "cell_count": float(match["cells"]),
        "balance_current_limit_a": int(match["balance"]) / (10 if match["series"] == "BD" else 1),
    }
    if match["current"]:
        ratings["charge_current_limit_a"] = ratings["discharge_current_limit_a"] = 10.0 * int(match["current"])
    return ratings


def generation_by_structure(frame: bytes) -> Generation | None:
    """Return the generation whose cells, mask and average agree in a cell info frame; None if there is no such."""
    for generation, slots, mask_at in (
        (Generation.JK02_32S, CELL_SLOTS_32S, 70),
        (Generation.JK02_24S, CELL_SLOTS_24S, 54),
    ):
        cells_mv = [cell for cell in struct.unpack_from(f"<{slots}H", frame, 6) if cell]
        mask, average_mv = struct.unpack_from("<IH", frame, mask_at)
        if (
            cells_mv
            and mask.bit_count() >= len(cells_mv)
            and abs(sum(cells_mv) / len(cells_mv) - average_mv) <= _AVERAGE_TOLERANCE_MV
        ):
            return generation
    cells_v = [cell for cell in struct.unpack_from(f"<{CELL_SLOTS_24S}f", frame, 6) if cell]
    (average_v,) = struct.unpack_from("<f", frame, 202)
    if (
        cells_v
        and all(0.5 < cell < 5 for cell in cells_v)
        and abs(sum(cells_v) / len(cells_v) - average_v) <= _AVERAGE_TOLERANCE_V
    ):
        return Generation.JK04
    return None


def speaks_as_known(board: Board, frame: bytes) -> bool:
    """Whether a cell info frame can be of the board's generation, which was confirmed, maybe over another link."""
    return board.confirmed and generation_by_structure(frame) in {None, board.generation}


def confirmed(board: Board, frame: bytes) -> Board:
    """Return the board with its generation settled by a cell info frame, if the frame has cells to settle it by."""
    generation = generation_by_structure(frame)
    return board if generation is None else replace(board, generation=generation, confirmed=True)
