"""Heat of packs of any size, in steps of any length."""

from __future__ import annotations

import pytest

from simulator.heat import Heat


def heated(seconds: int, dt_s: float, cells: int = 16, size: float = 1.0, fan: float = 0.0) -> Heat:
    """Return a pack that 10 W a cell of 280 Ah have warmed, the third 50 W more."""
    heat = Heat(20.0, [1.0] * cells, (0, 2), size=size)
    cells_w = [10.0 * size + (50.0 * size if cell == 2 else 0.0) for cell in range(cells)]
    for _ in range(round(seconds / dt_s)):
        heat.flow(dt_s, cells_w, current_a=100.0, ambient_c=25.0, fan=fan)
    return heat


def temperatures_c(heat: Heat) -> list[float]:
    return [*heat.cells_c, *heat.probes_c, heat.air_c, heat.mosfet_c]


@pytest.mark.parametrize("fan", [0.0, 1.0])
def test_it_does_not_depend_on_the_step(fan: float) -> None:
    fine, coarse = heated(1800, 0.5, fan=fan), heated(1800, 5.0, fan=fan)
    assert temperatures_c(coarse) == pytest.approx(temperatures_c(fine), abs=0.02)


def test_small_cells_with_their_share_of_heat_get_as_warm() -> None:
    assert temperatures_c(heated(3600, 1.0, size=0.3)) == pytest.approx(temperatures_c(heated(3600, 1.0)), abs=1e-9)


def test_a_longer_row_in_a_larger_cabinet_gets_as_warm() -> None:
    short, long = heated(1800, 1.0, cells=8), heated(1800, 1.0, cells=24)
    assert long.cells_c[:3] == pytest.approx(short.cells_c[:3], abs=0.2)


def test_a_fan_cools_and_moves_nothing_once_it_is_off() -> None:
    still, moved = heated(7200, 1.0), heated(7200, 1.0, fan=1.0)
    assert max(moved.cells_c) < max(still.cells_c) - 1
    assert moved.air_c < still.air_c - 0.4
    moved.cells_c, moved.air_c = list(still.cells_c), still.air_c
    for heat in (still, moved):
        heat.flow(1.0, [0.0] * 16, current_a=0.0, ambient_c=0.0)
    assert moved.cells_c == still.cells_c
    assert moved.air_c == still.air_c
