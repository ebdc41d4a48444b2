"""A short inside a cell in true time, without Home Assistant: frames of a simulated board, and what is made of them."""

from __future__ import annotations

from typing import Final

import pytest

from custom_components.jk_bms.battery.acting.actor import Actor
from custom_components.jk_bms.battery.acting.interface import ActionsConfig, Command, Cooling, Mode, Seen, Stop, Target
from custom_components.jk_bms.battery.guardian import Assessment, Guardian
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.bms.frames import Command as Question
from custom_components.jk_bms.bms.receiver import Receiver
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry
from simulator.fleet import load_test

FRAME_S: Final = 0.55
QUIET_S: Final = 1800
CHARGE_A: Final = 60
ROOM_C: Final = 20.0
CELL: Final = 7
"""It has a probe."""
CONFIG: Final = ActionsConfig(
    cooling=Cooling(),
    reduce_level=2,
    stop_charge=Stop(level=3, by_board=True),
    stop_discharge=Stop(level=3, by_board=True),
    both_off=Stop(level=4, by_board=True),
    capacity_ah=280.0,
)


class Watched:
    """A pack that is charged in a cellar, whose board is heard, and for which something may be done."""

    def __init__(self) -> None:
        (member,) = load_test(1, seed=1, speed=1)
        member.site.set_current_a = CHARGE_A
        self.board = member.firmware.board
        self.pack = self.board.pack
        self.now_s = 0.0
        self._receiver = Receiver()
        self._guardian = Guardian(ProtectionConfig())
        self._actor = Actor(CONFIG)
        self._settings: Settings | None = None
        for frame in (*self._answers(Question.DEVICE_INFO), *self._answers(Question.SETTINGS_AND_STREAM)):
            if isinstance(frame, Settings):
                self._settings = frame

    def step(self) -> tuple[Assessment, tuple[Command, ...]]:
        """Live until the next frame; return what is made of it, and what is done at once."""
        self.now_s += FRAME_S
        self.board.advance(FRAME_S)
        (telemetry,) = self._heard(self.board.cell_info_frame())
        assert isinstance(telemetry, Telemetry)
        assessment = self._guardian.step(telemetry, self._settings, ROOM_C, self.now_s)
        on = {
            Target.COOLING: self.pack.fan > 0,
            Target.BOARD_CHARGE: telemetry.charge_mosfet,
            Target.BOARD_DISCHARGE: telemetry.discharge_mosfet,
        }
        commands = self._actor.step(
            assessment, Seen(on, telemetry.current_a, fresh=True), Mode.ACT, self.now_s
        ).commands
        for command in commands:
            self._carry_out(command)
        return assessment, commands

    def _carry_out(self, command: Command) -> None:
        if command.target is Target.COOLING:
            self.pack.fan = float(command.on)
        else:
            key = "charge_switch" if command.target is Target.BOARD_CHARGE else "discharge_switch"
            self.board.change(key, command.on)

    def _answers(self, question: Question) -> list[object]:
        return [value for frame in self.board.answer(question, b"") for value in self._heard(frame)]

    def _heard(self, frame: bytes) -> list[object]:
        return [reading.value for reading in self._receiver.feed(frame, self.now_s) if reading.value is not None]


def life(watched: Watched, watts: float, minutes: float) -> dict[str, float]:
    """Let a pack have a short after a quiet while; return after how many minutes what comes of it is first so."""
    while watched.now_s < QUIET_S:
        assessment, commands = watched.step()
        assert not assessment.findings
        assert not commands
    began_s = watched.now_s
    cell = watched.pack.cells[CELL - 1]
    cell.short_w = watts
    print(f"\n{watts} W inside a cell:")
    at_min: dict[str, float] = {}
    while watched.now_s < began_s + 60 * minutes:
        assessment, commands = watched.step()
        thermal = assessment.thermal
        for news in (
            *(f"level {level}" for level in range(1, (thermal.level or 0) + 1)),
            *(f"{crossing.threshold_c:.0f} °C in sight" for crossing in thermal.crossings if crossing.expected_min),
            *(f"{command.target} {'on' if command.on else 'off'}" for command in commands),
        ):
            if news not in at_min:
                at_min[news] = (watched.now_s - began_s) / 60
                print(f"{at_min[news]:5.1f} min  {cell.temperature_c:4.1f} °C  {news}")
    return at_min


@pytest.mark.parametrize(("watts", "reference_min"), [(300, (2.0, 2.4, 2.7)), (30, (5.5, 9.0, 17.0))])
def test_a_short_is_seen_and_acted_upon(watts: float, reference_min: tuple[float, ...]) -> None:
    """The reference is what an engine without the voltages of the cells takes to each level."""
    watched = Watched()
    minutes = 1.25 * reference_min[-1] + 1.5
    at_min = life(watched, watts, minutes)
    for level, reference in enumerate(reference_min, 1):
        assert at_min[f"level {level}"] <= 1.25 * reference + 0.5
    assert at_min["level 1"] <= at_min["cooling on"] <= at_min["level 3"] == at_min["board_charge off"]
    assert at_min["60 °C in sight"] < at_min["level 3"]
    grace_ends_min = min(at_min["level 3"] + CONFIG.grace_s / 60, at_min.get("level 4", minutes))
    assert at_min["board_discharge off"] == pytest.approx(grace_ends_min, abs=FRAME_S / 60)
    assert (watched.pack.charge_mosfet_on, watched.pack.discharge_mosfet_on, watched.pack.fan) == (False, False, 1)
