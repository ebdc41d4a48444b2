"""Writing and reading back, over the link, with simulated boards: what is said to be verified is what the board has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, override

import pytest
from bleak.backends.device import BLEDevice
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from custom_components.jk_bms.bms.frames import Command
from custom_components.jk_bms.bms.layout import FrameType, Generation
from custom_components.jk_bms.bms.link import Link, LinkError, LinkMode, LinkState, PausedError
from custom_components.jk_bms.bms.receiver import Reading, Verdict
from custom_components.jk_bms.bms.registers import (
    ORDER,
    SETTINGS_BY_KEY,
    Instruction,
    Kind,
    Register,
    Saying,
    Setting,
    SettingValue,
    conflicts,
    in_safe_order,
    numbers,
)
from custom_components.jk_bms.bms.telemetry import Settings
from custom_components.jk_bms.bms.writing import ATTEMPTS, GenerationUncertainError, Outcome, Writer
from simulator.bleak_radio import Air, FakeBleakClient
from simulator.firmware import Firmware
from simulator.models import JK_B2A8S20P, JK_B2A16S, JK_PB2A16S20P, JK_PB2A16S20P_V19, Model
from simulator.pack import Missing, Pack

from .clock import FakeClock, settle

MODEL_OF: Final = {
    Generation.JK04: JK_B2A16S,
    Generation.JK02_24S: JK_B2A8S20P,
    Generation.JK02_32S: JK_PB2A16S20P_V19,
}
MAIN_SWITCHES: Final = {0x1D: "charge_switch", 0x1E: "discharge_switch"}
READING: Final = frozenset(Command)


class RecordedFirmware(Firmware):
    """A board that remembers what it was sent."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.written: list[bytes] = []

    @override
    def write(self, handle: int, data: bytes) -> None:
        self.written.append(data)
        super().write(handle, data)

    @property
    def writes(self) -> list[int]:
        """The registers that were written, in order."""
        return [data[4] for data in self.written if data[4] not in READING]


@dataclass
class Bench:
    """A board in the air and a link to it."""

    clock: FakeClock
    board: RecordedFirmware
    link: Link
    readings: list[Reading]
    reachable: bool = True

    async def done[T](self, work: Awaitable[T]) -> T:
        """Let time pass until the work is done."""
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done)
        return await task

    async def start(self) -> None:
        await self.link.start()
        await self.clock.until(lambda: self.link.receiver.board.confirmed)

    async def write(self, key: str, value: SettingValue) -> Outcome:
        async with self.link.writing() as writer:
            return await writer.write(SETTINGS_BY_KEY[key], value)

    async def outcome(self, key: str, value: SettingValue) -> Outcome:
        return await self.done(self.write(key, value))

    def has(self, key: str) -> float:
        """Return what the board itself goes by."""
        return self.board.board.settings[key]


@asynccontextmanager
async def bench(
    model: Model = JK_PB2A16S20P, *, mode: LinkMode = LinkMode.LIVE, switched: tuple[int, ...] = (), **more: Any
) -> AsyncIterator[Bench]:
    """Have a board and a link, at work unless the mode is periodic; `switched` are the main switches to be written."""
    clock, readings = FakeClock(), list[Reading]()
    board = RecordedFirmware(Pack(8, 280, seed=7), model, now=clock.now, sleep=clock.sleep, **more)
    air = Air([board])

    def find_device() -> BLEDevice | None:
        return air.device(board.address) if made.reachable else None

    link = Link(
        "pack",
        find_device,
        readings.append,
        lambda _: None,
        mode=mode,
        interval_s=600,
        now=clock.now,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
        client_class=FakeBleakClient,
    )
    made = Bench(clock, board, link, readings)
    before = {key: board.board.settings.get(key) for key in MAIN_SWITCHES.values()}
    await made.start()
    try:
        yield made
    finally:
        await made.done(link.stop())
    # Whatever goes wrong: charging and discharging are switched by whoever asks for it, and by nothing else.
    assert {register for register in board.writes if register in MAIN_SWITCHES} == set(switched)
    for register, key in MAIN_SWITCHES.items():
        assert register in switched or board.board.settings.get(key) == before[key]


# Every register of every generation


def _kept_by(model: Model) -> dict[str, Register]:
    """Return what the board says in settings or device info, with its ranges."""
    board = Firmware(Pack(8, 280), model, now=lambda: 0.0).board
    return {
        setting.key: register
        for setting, register in board._registers.values()
        if setting.said_in is not FrameType.CELL_INFO
    }


KEPT: Final = {generation: _kept_by(model) for generation, model in MODEL_OF.items()}
OFFERED: Final = {
    "uart1_protocol": [*range(11), 13, 14],
    "uart2_protocol": [*range(11), 13, 14],
    "can_protocol": [*range(12)],
}
"""What the mask of the simulated board lets through."""


def _value(setting: Setting, register: Register) -> st.SearchStrategy[SettingValue]:
    match setting.kind:
        case Kind.TEXT:
            printable = st.characters(min_codepoint=32, max_codepoint=126)
            return st.text(printable, max_size=register.length)
        case Kind.SWITCH:
            return st.booleans()
        case Kind.CHOICE:
            return st.sampled_from(OFFERED.get(setting.key) or range(len(setting.choices)))
    ends = st.sampled_from((register.lowest, register.highest))
    return st.one_of(ends, st.floats(register.lowest, register.highest)).map(setting.rounded)


@st.composite
def _all_values(draw: st.DrawFn, generation: Generation) -> dict[str, SettingValue]:
    """Draw a value for everything that the generation keeps, in range and in order."""
    registers = KEPT[generation]
    values = {key: draw(_value(SETTINGS_BY_KEY[key], register)) for key, register in registers.items()}
    for chain in ORDER:
        keys = [key for key in chain if key in registers]
        if not keys:
            continue
        step = SETTINGS_BY_KEY[keys[0]].step
        lowest = max(registers[key].lowest for key in keys)
        highest = min(registers[key].highest for key in keys)
        places = st.integers(round(lowest / step), round(highest / step))
        rising = sorted(draw(st.lists(places, min_size=len(keys), max_size=len(keys), unique=True)))
        values |= {key: round(place * step, 7) for key, place in zip(keys, rising, strict=True)}
    return values


async def _write_all(generation: Generation, values: dict[str, SettingValue]) -> None:
    model = MODEL_OF[generation]
    switched = () if generation is Generation.JK04 else tuple(MAIN_SWITCHES)
    async with bench(model, switched=switched) as at:
        # No cell may be below the voltage at which the board switches off.
        at.board.board._calibrate_voltage(1.25)
        async with at.link.writing() as writer:
            present = numbers(await at.done(writer.settings()), await at.done(writer.device_info()))
            for key in in_safe_order(values, present):
                outcome = await at.done(writer.write(SETTINGS_BY_KEY[key], values[key]))
                assert outcome is Outcome.VERIFIED, (key, values[key])
            said: dict[FrameType, Saying] = {
                FrameType.SETTINGS: await at.done(writer.settings()),
                FrameType.DEVICE_INFO: await at.done(writer.device_info()),
            }
        for key, value in values.items():
            setting = SETTINGS_BY_KEY[key]
            expected = value.strip() if isinstance(value, str) else pytest.approx(value, abs=1e-6)
            assert setting.said(said[setting.said_in]) == expected, key
        assert len(at.board.writes) == len(values), "each is taken at once"


@pytest.mark.parametrize("generation", Generation)
@how(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_what_is_written_is_read_back(generation: Generation, data: st.DataObject) -> None:
    values = data.draw(_all_values(generation))
    ordered = {key: value for key, value in values.items() if isinstance(value, float)}
    assert conflicts(ordered, frozenset(ordered)) == []
    await _write_all(generation, values)


def test_no_millivolt_is_lost_in_rounding() -> None:
    setting = SETTINGS_BY_KEY["cell_overvoltage_v"]
    for millivolts in range(1200, 4351):
        raw = setting.encode(setting.rounded(millivolts * 0.001), Generation.JK02_32S)
        assert int.from_bytes(raw, "little") == millivolts


@pytest.mark.parametrize("model", [JK_B2A8S20P, JK_PB2A16S20P])
async def test_what_the_pack_shows_is_read_back(model: Model) -> None:
    async with bench(model, load=lambda _dt_s, _voltage_v: -40.0) as at:
        pack_v = at.board.board.measurement.pack_voltage_v
        assert await at.outcome("pack_voltage_calibration_v", round(1.015 * pack_v, 3)) is Outcome.VERIFIED
        assert at.board.board.measurement.pack_voltage_v == pytest.approx(1.015 * pack_v, abs=0.05)
        assert await at.outcome("current_calibration_a", 38.5) is Outcome.VERIFIED
        assert at.board.board.measurement.current_a == pytest.approx(-38.5, abs=0.3)
        if model is JK_PB2A16S20P:
            assert await at.outcome("emergency", value=True) is Outcome.VERIFIED
            assert await at.outcome("emergency", value=False) is Outcome.VERIFIED
            assert await at.outcome("clock_s", 186_592_319) is Outcome.VERIFIED
        at.readings.clear()
        await at.clock.run(10)
        assert {reading.verdict for reading in at.readings} == {Verdict.ACCEPTED}


@pytest.mark.parametrize("text", ["", "cellar", " a b ", "thirteen byte"])
async def test_a_text_is_read_back_without_the_blanks_around_it(text: str) -> None:
    async with bench() as at:
        assert await at.outcome("user_data", text) is Outcome.VERIFIED
        assert at.board.board.device_info["user_data"] == text.encode()


@pytest.mark.parametrize("register", MAIN_SWITCHES)
async def test_a_main_switch_is_switched_when_asked_for(register: int) -> None:
    key = MAIN_SWITCHES[register]
    async with bench(switched=(register,)) as at:
        assert await at.outcome(key, value=False) is Outcome.VERIFIED
        assert at.has(key) == 0
        assert await at.outcome(key, value=True) is Outcome.VERIFIED
        assert at.has(key) == 1


# What goes wrong


@pytest.mark.parametrize(("lost", "outcome"), [(1, Outcome.VERIFIED), (2, Outcome.VERIFIED), (3, Outcome.REFUSED)])
async def test_a_write_that_is_lost_is_sent_again(lost: int, outcome: Outcome) -> None:
    async with bench() as at:
        at.board.faults.lost_writes = lost
        assert await at.outcome("cell_overvoltage_v", 3.6) is outcome
        assert at.board.writes == [0x04] * min(lost + 1, ATTEMPTS)
        assert (at.has("cell_overvoltage_v") == 3.6) is (outcome is Outcome.VERIFIED)


async def test_nothing_depends_on_the_acknowledge() -> None:
    async with bench() as at:
        at.board.faults.unacknowledged_writes = 1
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        assert at.board.writes == [0x04]


async def test_a_board_that_refuses_is_believed_after_three_times() -> None:
    async with bench() as at:
        at.board.faults.refused_writes = 2
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        at.board.faults.refused_writes = 3
        assert await at.outcome("cell_overvoltage_v", 3.55) is Outcome.REFUSED
        assert at.has("cell_overvoltage_v") == 3.6
        # This one the board refuses of its own: it's below the SOC 100 % voltage.
        assert await at.outcome("cell_overvoltage_v", 3.44) is Outcome.REFUSED
        assert at.has("cell_overvoltage_v") == 3.6
        assert at.board.writes == [0x04] * 9


@pytest.mark.parametrize(("slow_s", "writes"), [(0.4, 1), (1.5, 2)])
async def test_a_board_with_a_slow_memory_says_the_old_value_first(slow_s: float, writes: int) -> None:
    async with bench() as at:
        at.board.faults.slow_memory_s = slow_s
        at.readings.clear()
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        said = [reading.value.cell_overvoltage_v for reading in at.readings if isinstance(reading.value, Settings)]
        assert said[0] == 3.65
        assert said[-1] == 3.6
        assert at.board.writes == [0x04] * writes


async def test_without_an_answer_nothing_is_known() -> None:
    async with bench() as at:
        at.board.faults.unanswered = 2
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        at.board.faults.unanswered = 1000
        assert await at.outcome("cell_overvoltage_v", 3.55) is Outcome.UNKNOWN
        assert at.has("cell_overvoltage_v") == 3.55


@pytest.mark.parametrize("taken", [True, False])
async def test_a_link_that_drops_in_mid_write_leaves_it_unknown(*, taken: bool) -> None:
    async with bench() as at:
        at.board.faults.dropping_writes = 1
        at.board.faults.refused_writes = 0 if taken else 1
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.UNKNOWN
        await at.clock.run(30)
        assert at.link.status.state is LinkState.CONNECTED
        assert at.board.writes == [0x04], "nothing is sent again behind the back of whoever asked"
        assert at.has("cell_overvoltage_v") == (3.6 if taken else 3.65)
        assert await at.outcome("cell_overvoltage_v", 3.55) is Outcome.VERIFIED


async def test_what_was_refused_before_the_link_dropped_is_unknown() -> None:
    async with bench() as at:
        at.board.faults.lost_writes = at.board.faults.dropping_writes = 1
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.UNKNOWN
        assert at.board.writes == [0x04, 0x04]
        assert at.has("cell_overvoltage_v") == 3.6


async def test_a_pause_in_mid_write_leaves_it_unknown() -> None:
    async with bench() as at:
        at.board.faults.slowness = 5
        writing = asyncio.ensure_future(at.write("cell_overvoltage_v", 3.6))
        await at.clock.run(0.1)
        await at.done(at.link.pause(60))
        assert await writing is Outcome.UNKNOWN


async def test_nothing_is_written_in_a_pause() -> None:
    async with bench() as at:
        await at.done(at.link.pause(60))
        with pytest.raises(PausedError):
            await at.outcome("cell_overvoltage_v", 3.6)
        await at.clock.run(90)
        assert at.link.status.state is LinkState.CONNECTED
        assert at.board.writes == []


async def test_nothing_is_written_later_because_there_is_no_link_now() -> None:
    async with bench() as at:
        at.board.in_range = at.reachable = False
        await at.clock.run(30)
        assert at.link.status.state is LinkState.DISCONNECTED
        at.board.in_range = at.reachable = True
        # It could be connected to right now, but whoever asks is told that there is no link, and asks again.
        with pytest.raises(LinkError):
            await at.outcome("cell_overvoltage_v", 3.6)
        await at.clock.until(lambda: at.link.status.state is LinkState.CONNECTED)
        await at.clock.run(10)
        assert at.board.writes == []


@pytest.mark.parametrize("instructing", [False, True])
async def test_a_link_that_was_lost_just_now_takes_nothing(*, instructing: bool) -> None:
    async with bench() as at:

        async def write() -> None:
            async with at.link.writing() as writer:
                at.board.drop_link()
                await settle()
                with pytest.raises(LinkError):
                    await (writer.instruct(Instruction.RESTART) if instructing else _overvoltage(writer, 3.6))

        await at.done(write())
        await at.clock.run(10)
        assert at.board.writes == []


async def _overvoltage(writer: Writer, value: float) -> Outcome:
    return await writer.write(SETTINGS_BY_KEY["cell_overvoltage_v"], value)


async def test_a_link_without_a_task_takes_nothing() -> None:
    async with bench() as at:
        await at.done(at.link.stop())
        with pytest.raises(LinkError):
            await at.outcome("cell_overvoltage_v", 3.6)


async def test_nothing_is_written_before_the_generation_is_certain() -> None:
    async with bench() as at:
        await at.done(at.link.stop())
        pack = at.board.board.pack
        pack.cell_errors = {cell: Missing() for cell in range(8)}
        at.board.board.advance(1)
        blind = Link(
            "pack",
            at.link._find_device,
            at.readings.append,
            lambda _: None,
            now=at.clock.now,
            sleep=at.clock.sleep,
            jitter=lambda: 1.0,
            client_class=FakeBleakClient,
        )
        at.board.written.clear()
        at.link = blind
        await blind.start()
        await at.clock.run(30)
        assert blind.status.state is LinkState.CONNECTED
        with pytest.raises(GenerationUncertainError):
            await at.outcome("cell_overvoltage_v", 3.6)
        assert at.board.writes == []
        pack.cell_errors.clear()
        await at.clock.run(30)
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        await at.done(blind.stop())


async def test_nothing_is_written_to_a_board_of_another_generation_at_the_same_address() -> None:
    """A module that was moved to an older board, whose device info doesn't get through."""
    async with bench(JK_PB2A16S20P) as at:
        device = at.link._find_device()
        assert device
        older = RecordedFirmware(
            Pack(8, 280, seed=7), JK_B2A8S20P, now=at.clock.now, sleep=at.clock.sleep, address=at.board.address
        )
        older.faults.unanswered = 2
        device.details["air"].peripherals[at.board.address] = older
        at.board.faults.refuses = True
        await at.done(at.link.pause(1))
        await at.clock.until(lambda: at.link.status.state is LinkState.CONNECTED)
        assert at.link.receiver.board.generation is Generation.JK02_32S
        with pytest.raises(GenerationUncertainError):
            await at.outcome("short_circuit_delay_us", 1500)
        assert older.writes == []
        await at.done(at.link.refresh())
        await at.clock.until(lambda: at.link.receiver.board.confirmed)
        assert await at.outcome("short_circuit_delay_us", 1000) is Outcome.VERIFIED
        assert older.writes == [0x25]


async def test_a_calibration_is_not_repeated() -> None:
    """The load may be another by then, and the board would take that for what was written."""
    async with bench(JK_PB2A16S20P, load=lambda _dt_s, _voltage_v: -40.0) as at:
        at.board.faults.refused_writes = 1
        assert await at.outcome("current_calibration_a", 38.5) is Outcome.REFUSED
        assert at.board.writes == [0x67]


async def test_two_at_once_write_one_after_the_other() -> None:
    async with bench() as at:
        writes = [at.write("cell_overvoltage_v", value) for value in (3.6, 3.55)]
        assert await at.done(asyncio.gather(*writes)) == [Outcome.VERIFIED, Outcome.VERIFIED]
        overvoltages = [
            reading.value.cell_overvoltage_v
            for reading in at.readings
            if isinstance(reading.value, Settings) and reading.verdict is Verdict.ACCEPTED
        ]
        assert overvoltages[-2:] == [3.6, 3.55]
        assert at.board.writes == [0x04, 0x04]


async def test_what_the_app_sets_in_between_is_not_taken_for_ours() -> None:
    async with bench() as at:
        writing = asyncio.ensure_future(at.write("cell_overvoltage_v", 3.6))
        await at.clock.until(lambda: at.has("cell_overvoltage_v") == 3.6)
        at.board.app_changes("cell_overvoltage_v", 3.5)
        assert await at.done(writing) is Outcome.VERIFIED
        assert at.board.writes == [0x04, 0x04]
        assert at.has("cell_overvoltage_v") == 3.6


async def test_a_stream_that_pauses_after_a_write_is_no_loss() -> None:
    async with bench() as at:
        at.board.faults.pause_s = 1.0
        for key, value in (("cell_overvoltage_v", 3.6), ("emergency", True), ("emergency", False)):
            assert await at.outcome(key, value) is Outcome.VERIFIED
        assert at.link.status.drops == 0
        assert at.board.writes == [0x04, 0x6B, 0x6B]


async def test_what_cell_info_would_show_is_unknown_without_it() -> None:
    async with bench() as at:
        async with at.link.writing() as writer:
            assert (await at.done(writer.telemetry())).emergency_countdown_s == 0
            at.board.faults.silent_stream = True
            with pytest.raises(LinkError):
                await at.done(writer.telemetry())
        assert await at.outcome("emergency", value=True) is Outcome.UNKNOWN
        at.board.faults.silent_stream = False
        await at.clock.until(lambda: at.link.status.state is LinkState.CONNECTED)
        at.board.faults.refused_writes = ATTEMPTS
        assert await at.outcome("emergency", value=False) is Outcome.REFUSED


async def test_a_periodic_link_is_had_for_the_change_and_let_go() -> None:
    async with bench(mode=LinkMode.PERIODIC) as at:
        await at.clock.until(lambda: at.link.status.state is LinkState.WAITING)
        assert await at.outcome("cell_overvoltage_v", 3.6) is Outcome.VERIFIED
        await at.clock.until(lambda: at.link.status.state is LinkState.WAITING)
        assert not at.board.is_connected


async def _instructed(at: Bench, instruction: Instruction) -> Outcome:
    async with at.link.writing() as writer:
        return await writer.instruct(instruction)


@pytest.mark.parametrize("instruction", Instruction)
async def test_an_instruction_is_sent_once_and_confirmed_by_nothing(instruction: Instruction) -> None:
    async with bench() as at:
        assert await at.done(_instructed(at, instruction)) is Outcome.SENT
        await at.clock.run(20)
        assert at.board.writes == [instruction]
        assert at.link.status.drops == (1 if instruction in (Instruction.RESTART, Instruction.SHUT_DOWN) else 0)
        connected = at.link.status.state is LinkState.CONNECTED
        assert connected is (instruction is not Instruction.SHUT_DOWN)


@pytest.mark.parametrize("work", [_instructed, lambda at, _: at.write("cell_overvoltage_v", 3.6)])
async def test_what_fails_while_it_is_sent_is_unknown(work: Callable[[Bench, Instruction], Awaitable[Outcome]]) -> None:
    async with bench() as at:
        written, at.board.written = at.board.written, _Failing(at)
        assert await at.done(work(at, Instruction.RESTART)) is Outcome.UNKNOWN
        at.board.written = written


class _Failing(list[bytes]):
    """Where a write is noted in vain: the link is gone before it is through."""

    def __init__(self, at: Bench) -> None:
        self._at = at

    @override
    def append(self, data: bytes, /) -> None:
        self._at.board.drop_link()
        raise ConnectionError("the backend has lost its bus")


async def test_with_notifications_lost_an_outcome_is_still_true() -> None:
    outcomes = []
    async with bench() as at:
        at.board.faults.loss = 0.2
        for number in range(60):
            value_v = round(3.5 + number * 0.002, 3)
            outcomes.append(await at.outcome("cell_overvoltage_v", value_v))
            if outcomes[-1] is not Outcome.UNKNOWN:
                assert (at.has("cell_overvoltage_v") == value_v) is (outcomes[-1] is Outcome.VERIFIED)
        assert outcomes.count(Outcome.VERIFIED) > 55
