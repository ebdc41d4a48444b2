"""What is believed at once, what waits for the next frame, and what is thrown away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.jk_bms.bms import plausibility, telemetry
from custom_components.jk_bms.bms.board import Board
from custom_components.jk_bms.bms.layout import CELL_INFO, FRAME_LENGTH, Generation, Value
from custom_components.jk_bms.bms.plausibility import Plausibility, device_info_problem, settings_problem
from custom_components.jk_bms.bms.telemetry import decode_device_info, decode_settings, decode_telemetry

from .builders import CELLS_V, cell_info, device_info, settings


@dataclass
class Stream:
    """A board's frames, half a second apart, and what becomes of each."""

    board: Board = field(default_factory=lambda: Board(software_major=15))
    plausibility: Plausibility = field(default_factory=Plausibility)
    now_s: float = 0.0
    run_time_s: int = 100_000

    def send(
        self, cells_v: tuple[float, ...] = CELLS_V, current_a: float = 10.0, after_s: float = 0.5, **changes: Value
    ) -> str | None:
        self.now_s += after_s
        self.run_time_s = 100_000 + int(self.now_s)
        run_time_s = changes.pop("run_time_s", self.run_time_s)
        assert isinstance(run_time_s, int)
        frame = cell_info(self.board.generation, cells_v, current_a, run_time_s=run_time_s, **changes)
        return self.plausibility.judge(frame, decode_telemetry(frame, self.board), self.now_s)


@pytest.fixture
def stream() -> Stream:
    """A stream that is believed."""
    stream = Stream()
    assert stream.send() == "first frame"
    assert stream.send() is None
    return stream


def raised(cells_v: tuple[float, ...], step_v: float, cell: int = 2) -> tuple[float, ...]:
    return (*cells_v[:cell], cells_v[cell] + step_v, *cells_v[cell + 1 :])


@pytest.mark.parametrize(
    "changes",
    [
        {"cells_v": tuple(cell + 0.1 for cell in CELLS_V)},
        {"cells_v": raised(CELLS_V, 0.2)},
        {"current_a": -150.0},
        {"current_a": 0.0},
        {"temperature_1_c": 22.5},
        {"remaining_capacity_ah": 168.02},
        {"balance_action": 1, "balance_current_a": 1.9},
        {"after_s": 3600.0},
        {"after_s": 3600.0, "remaining_capacity_ah": 178.0, "state_of_charge_pct": 64, "cycle_capacity_ah": 3370.0},
        {"mos_temperature_c": 25.0, "mos_temperature_copy_c": 25.0},
    ],
    ids=str,
)
def test_what_the_frame_confirms_is_taken_at_once(stream: Stream, changes: dict[str, Any]) -> None:
    assert stream.send(**changes) is None
    assert stream.plausibility.refused == 0


UNCONFIRMED: list[tuple[str, dict[str, Any]]] = [
    ("alarm_bits", {"alarm_bits": 1 << 16}),
    ("charge_mosfet", {"charge_mosfet": 0}),
    ("discharge_mosfet", {"discharge_mosfet": 0}),
    ("heating", {"heating": 1}),
    ("full_charge_capacity_ah", {"full_charge_capacity_ah": 279.0}),
    ("cycle_count", {"cycle_count": 13}),
    ("state_of_health_pct", {"state_of_health_pct": 99}),
    ("event_log_count", {"event_log_count": 1}),
    ("T1", {"temperature_1_c": 27.0}),
    ("T2", {"temperature_2_c": -200.0}),
    ("the two MOSFET temperatures", {"mos_temperature_c": 25.0}),
    ("state of charge, remaining capacity", {"state_of_charge_pct": 66, "remaining_capacity_ah": 184.8}),
    ("remaining capacity", {"remaining_capacity_ah": 169.0}),
    ("cycle capacity", {"cycle_capacity_ah": 3359.0}),
    ("run time", {"run_time_s": 90_000}),
    ("up time", {"system_up_time_s": 1.0}),
    ("clock", {"clock_s": 2_000_000}),
    ("over-voltage release", {"overvoltage_release_s": 30}),
    ("emergency countdown", {"emergency_countdown_s": 1800}),
    ("time to sleep", {"time_to_sleep_s": 0}),
    ("time in the charge state", {"charge_state_time_s": 900}),
    ("balance-lead resistance", {"lead_resistances_ohm": (0.08,) * 15 + (0.09,)}),
    ("balance current", {"balance_action": 1, "balance_current_a": 1.9}),
    ("voltage reference", {"voltage_reference_v": 3.3}),
    ("heater current", {"heater_current_a": 2.0}),
    ("current against its sensor", {"charge_current_sensor_v": 0.002}),
    ("current against power", {"power_magnitude_w": 2000.0}),
    ("the two pack voltages", {"coarse_pack_voltage_v": 52.9}),
    ("cells against the pack voltage", {"pack_voltage_v": 52.9, "coarse_pack_voltage_v": 52.9}),
]


@pytest.mark.parametrize(("reason", "changes"), UNCONFIRMED, ids=str)
def test_what_nothing_confirms_waits_for_the_next_frame(stream: Stream, reason: str, changes: dict[str, Any]) -> None:
    if reason == "balance current":
        assert stream.send(balance_action=1, balance_current_a=0.2) is None
    said = stream.send(**changes)
    assert said is not None
    assert set(reason.split(", ")) <= set(said.split(", "))
    assert stream.send(**changes | _later(changes)) is None
    assert stream.plausibility.refused == 0


def _later(changes: dict[str, Any]) -> dict[str, Any]:
    """Return what has moved on half a second later."""
    run_time_s = changes.get("run_time_s")
    return {"run_time_s": run_time_s + 1} if isinstance(run_time_s, int) else {}


@pytest.mark.parametrize(("reason", "changes"), UNCONFIRMED, ids=str)
def test_what_the_next_frame_does_not_repeat_was_damage(stream: Stream, reason: str, changes: dict[str, Any]) -> None:
    if reason == "balance current":
        assert stream.send(balance_action=1, balance_current_a=0.2) is None
        assert stream.send(**changes) is not None
        assert stream.send(balance_action=1, balance_current_a=0.2) is None
    else:
        assert stream.send(**changes) is not None
        assert stream.send() is None
    assert stream.plausibility.refused == 1


CONTRADICTIONS: list[tuple[str, dict[str, Any]]] = [
    ("cell voltage out of range", {"cells_v": (5.2, *CELLS_V[1:])}),
    ("cells against their average", {"average_cell_voltage_v": 3.31}),
    ("cells against their spread", {"reported_delta_cell_voltage_v": 0.1}),
    ("cells against their mask", {"cell_mask": 0xFF}),
    ("cells against the highest and lowest", {"highest_cell_index": 31}),
    ("cells against the pack voltage", {"pack_voltage_v": 49.5, "coarse_pack_voltage_v": 49.5}),
    ("capacity out of range", {"full_charge_capacity_ah": 0.0}),
    ("balance action", {"balance_action": 9}),
    ("balance current against balancing", {"balance_current_a": 1.5}),
    ("the two pack voltages", {"coarse_pack_voltage_v": 40.0}),
    ("state of charge out of range", {"state_of_charge_pct": 101}),
    ("state of charge against the capacities", {"state_of_charge_pct": 40}),
    ("state of health out of range", {"state_of_health_pct": 130}),
    ("current out of range", {"current_a": 2500.0}),
    ("temperature out of range", {"temperature_1_c": 180.0}),
]


@pytest.mark.parametrize(("reason", "changes"), CONTRADICTIONS, ids=str)
def test_a_contradiction_has_to_come_three_times(stream: Stream, reason: str, changes: dict[str, Any]) -> None:
    """A broken sense lead contradicts for good: it must be seen in the end, and nothing may be hidden by it."""
    for _ in range(2):
        said = stream.send(**changes)
        assert said is not None
        assert reason in said
    assert stream.send(**changes) is None
    assert stream.send(**changes) is None
    assert stream.plausibility.refused == 0


@pytest.mark.parametrize(("reason", "changes"), CONTRADICTIONS, ids=str)
def test_a_contradiction_that_goes_away_was_damage(stream: Stream, reason: str, changes: dict[str, Any]) -> None:
    assert stream.send(**changes) is not None
    assert stream.send() is None
    assert stream.plausibility.refused == 1


def test_a_contradiction_at_the_very_start_has_to_come_three_times() -> None:
    stream = Stream()
    assert [stream.send(state_of_charge_pct=40) is None for _ in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("step_v", [0.055, -0.2, 0.8])
def test_a_lone_cell_that_the_average_does_not_follow_is_damage(stream: Stream, step_v: float) -> None:
    average_v = sum(CELLS_V) / 16
    assert stream.send(raised(CELLS_V, step_v), average_cell_voltage_v=average_v) is not None
    assert stream.send() is None


def test_a_lone_cell_of_many_is_held_against_spread_and_sum() -> None:
    """In 32 cells a lone one hardly moves the average."""
    cells_v = CELLS_V * 2
    stream = Stream()
    assert [stream.send(cells_v), stream.send(cells_v)] == ["first frame", None]
    average_v, total_v = sum(cells_v) / 32, sum(cells_v)
    said = stream.send(
        raised(cells_v, 0.0505),
        average_cell_voltage_v=average_v,
        reported_delta_cell_voltage_v=0.035,
        pack_voltage_v=total_v + 0.03,
        coarse_pack_voltage_v=total_v + 0.03,
        power_magnitude_w=10 * total_v,
    )
    assert said == "a lone cell"


def test_a_fast_heating_probe_is_not_held_up_for_ever(stream: Stream) -> None:
    """4 K a second is more than a frame may bring unconfirmed, and goes on while the first one waits."""
    said = [stream.send(temperature_1_c=21.5 + 4.0 * step) for step in range(1, 9)]
    assert said.count(None) >= 4
    assert stream.plausibility.refused == 0


def test_an_alarm_that_comes_with_a_load_step_is_there_in_the_second_frame(stream: Stream) -> None:
    assert stream.send(current_a=0.0, alarm_bits=1 << 4, charge_mosfet=0) == "alarm_bits, charge_mosfet"
    assert stream.send(current_a=0.0, alarm_bits=1 << 4, charge_mosfet=0) is None


def test_a_reboot_is_believed_when_the_clock_goes_on_from_there(stream: Stream) -> None:
    reboot: dict[str, Any] = {"system_up_time_s": 1.0, "clock_s": 1}
    assert stream.send(run_time_s=3, **reboot) is not None
    assert stream.send(run_time_s=4, system_up_time_s=2.0, clock_s=2) is not None, "three clocks at once: no chance"
    assert stream.send(run_time_s=4, system_up_time_s=2.5, clock_s=2) is None
    assert stream.plausibility.refused == 0


def test_a_number_that_runs_on_does_not_hide_the_pack_for_ever(stream: Stream) -> None:
    """Fields of unknown meaning have turned out to be counters on other firmware."""
    said = [stream.send(user_alarm=number) for number in range(1, 40)]
    assert said[:9] == ["user_alarm"] * 9
    assert said[9:] == [None] * 30
    assert stream.send(user_alarm=99, charge_mosfet=0) == "charge_mosfet", "all else is doubted as before"


def test_what_a_board_has_insisted_on_is_doubted_again_when_it_is_over(stream: Stream) -> None:
    for number in range(30):
        stream.send(temperature_1_c=30.0 + number * 37 % 100)
    assert stream.send(temperature_1_c=20.0) is None
    assert stream.send(temperature_1_c=50.0) is None, "it still jumps about"
    assert stream.send(temperature_1_c=20.0, mos_temperature_c=60.0, mos_temperature_copy_c=60.0) is not None
    assert [stream.send(temperature_1_c=20.0) for _ in range(240)] == [None] * 240
    assert stream.send(temperature_1_c=50.0) == "T1"


def test_alarms_that_flicker_are_never_taken_for_granted(stream: Stream) -> None:
    said = [stream.send(alarm_bits=number) for number in range(1, 40)]
    assert None not in said


def test_a_sense_lead_that_comes_loose_does_not_hide_the_pack_for_ever(stream: Stream) -> None:
    readings_v = (0.9, 4.6, 2.2, 4.9, 1.4, 3.9, 0.7)
    said = []
    for number in range(30):
        cells_v = (readings_v[number % 7], *CELLS_V[1:])
        said.append(stream.send(cells_v, pack_voltage_v=sum(CELLS_V), coarse_pack_voltage_v=sum(CELLS_V)))
    assert said[:9].count(None) == 0
    assert said[15:].count(None) >= 12


@pytest.mark.parametrize(
    ("ripple_a", "resistance_ohm", "believed_share"),
    [
        (3.0, 0.000_4, 0.95),
        (10.0, 0.000_4, 0.95),
        (20.0, 0.000_4, 0.95),
        (3.0, 0.001_5, 0.95),
        (10.0, 0.001_5, 0.95),
        # Cells and pack voltage now lie further apart than the 2 % at which a frame contradicts itself.
        (20.0, 0.001_5, 0.85),
    ],
)
def test_a_rippling_load_does_not_hold_up_a_healthy_pack(
    ripple_a: float, resistance_ohm: float, believed_share: float
) -> None:
    """The board takes cells, pack voltage, current, power and the raw sensor one after the other."""
    stream, random = Stream(), Random(1)
    said = []
    for _ in range(400):
        at_cells, at_pack, at_current, at_power, at_sensor = (random.gauss(60.0, ripple_a) for _ in range(5))
        cells_v = tuple(round(cell + at_cells * resistance_ohm, 3) for cell in CELLS_V)
        pack_voltage_v = sum(CELLS_V) + 16 * at_pack * resistance_ohm
        said.append(
            stream.send(
                cells_v,
                at_current,
                pack_voltage_v=pack_voltage_v,
                coarse_pack_voltage_v=pack_voltage_v,
                power_magnitude_w=abs(pack_voltage_v * at_power),
                charge_current_sensor_v=max(0.0, at_sensor * 0.002_64),
            )
        )
    assert said[50:].count(None) >= believed_share * len(said[50:])


@pytest.mark.parametrize(
    "flicker",
    [
        lambda number: {"state_of_charge_pct": 57 if number % 2 else 58},
        lambda number: {"cell_mask": 0xFF} if number % 2 else {"reported_delta_cell_voltage_v": 0.1},
    ],
    ids=["around a limit", "one after the other"],
)
def test_contradictions_that_come_and_go_do_not_hide_the_pack(
    stream: Stream, flicker: Callable[[int], dict[str, Any]]
) -> None:
    said = [stream.send(**flicker(number)) for number in range(200)]
    assert said[20:].count(None) >= 0.95 * len(said[20:])


def test_the_same_frame_delivered_twice_confirms_nothing(stream: Stream) -> None:
    damaged: dict[str, Any] = {"alarm_bits": 1 << 14, "charge_mosfet": 0}
    assert stream.send(**damaged) is not None
    assert stream.send(after_s=0.01, **damaged) is not None
    assert stream.send() is None
    assert stream.plausibility.refused == 1


def test_damage_now_and_then_never_adds_up(stream: Stream) -> None:
    """Over a link that lets hardly anything through, a right sum by chance comes once in a while."""
    said = [
        stream.send(tuple(3.3 + (number * cell) % 7 / 10 for cell in range(16)), after_s=30.0, alarm_bits=number)
        for number in range(1, 40)
    ]
    assert None not in said


def test_countdowns_may_run(stream: Stream) -> None:
    assert stream.send(overvoltage_release_s=30) is not None
    assert stream.send(overvoltage_release_s=30) is None
    assert stream.send(overvoltage_release_s=29) is None


def test_lead_resistances_move_while_balancing(stream: Stream) -> None:
    assert stream.send(balance_action=1, lead_resistances_ohm=(0.081,) * 16) is None
    assert stream.send(balance_action=1, lead_resistances_ohm=(0.5,) * 16) == "balance-lead resistance"


def test_a_frame_without_cells_is_believed_only_if_it_stays_so(stream: Stream) -> None:
    empty: dict[str, Any] = {"cell_mask": 0, "state_of_charge_pct": 60}
    assert [stream.send((), **empty) is None for _ in range(3)] == [False, False, True]


def test_a_cell_that_falls_out_among_others(stream: Stream) -> None:
    open_lead = (*CELLS_V[:5], 0.0, *CELLS_V[6:])
    whole = sum(CELLS_V)
    changes: dict[str, Any] = {"pack_voltage_v": whole, "coarse_pack_voltage_v": whole}
    assert [stream.send(open_lead, **changes) is None for _ in range(3)] == [False, False, True]


def test_a_cell_that_is_taken_out(stream: Stream) -> None:
    """Mask, capacity and leads change with it: that is no damage, but has to come three times to be told from it."""
    assert [stream.send(CELLS_V[:15]) is None for _ in range(3)] == [False, False, True]


def test_another_generation_is_another_board() -> None:
    stream = Stream()
    assert [stream.send(), stream.send()] == ["first frame", None]
    stream.board = Board(Generation.JK02_24S, software_major=10)
    said = stream.send()
    assert said is not None
    assert said.startswith("generation")


@pytest.mark.parametrize("generation", list(Generation))
def test_every_generation_streams(generation: Generation) -> None:
    stream = Stream(Board(generation, software_major=15 if generation is Generation.JK02_32S else 8))
    assert stream.send() == "first frame"
    assert [stream.send() for _ in range(20)] == [None] * 20


def test_jk04_says_twice_that_it_balances() -> None:
    stream = Stream(Board(Generation.JK04))
    assert [stream.send(), stream.send()] == ["first frame", None]
    assert stream.send(balance_action=1, balance_current_a=1.2) == "balance action"
    assert stream.send(balance_action=1, balance_current_a=1.2) is None


def test_jk04_cells_that_are_no_numbers() -> None:
    stream = Stream(Board(Generation.JK04))
    assert [stream.send(), stream.send()] == ["first frame", None]
    said = stream.send((float("nan"), *CELLS_V[1:]), average_cell_voltage_v=3.3, reported_delta_cell_voltage_v=0.005)
    assert said is not None
    assert "cell voltage out of range" in said


@given(st.lists(st.tuples(st.integers(6, FRAME_LENGTH - 2), st.integers(1, 255)), min_size=1, max_size=40))
def test_no_damage_raises(damage: list[tuple[int, int]]) -> None:
    for generation in Generation:
        stream = Stream(Board(generation, software_major=15))
        stream.send()
        stream.send()
        frame = bytearray(cell_info(generation))
        for at, bits in damage:
            frame[at] ^= bits
        stream.plausibility.judge(bytes(frame), decode_telemetry(bytes(frame), stream.board), 2.0)
        assert stream.send() is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"cell_overvoltage_v": 6.0}, "cell_overvoltage_v"),
        ({"charge_current_limit_a": 3000.0}, "charge_current_limit_a"),
        ({"charge_undertemperature_c": -80.0}, "charge_undertemperature_c"),
        ({"cell_count": 40}, "cell_count"),
        ({"nominal_capacity_ah": 40_000.0}, "nominal_capacity_ah"),
        ({"short_circuit_delay_us": 4_000_000}, "short_circuit_delay_us"),
        ({"charge_overcurrent_delay_s": 4_000_000}, "charge_overcurrent_delay_s"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(changes: dict[str, Any], problem: str | None) -> None:
    assert settings_problem(decode_settings(settings(**changes), Board())) == problem


def test_settings_that_are_no_numbers() -> None:
    frame = settings(Generation.JK04, power_off_voltage_v=float("nan"))
    assert settings_problem(decode_settings(frame, Board(Generation.JK04))) == "power_off_voltage_v"


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (device_info(), None),
        (device_info(software=""), None),
        (device_info(device_name=b"\xbf\xff"), None),
        (device_info(model="JK\x01"), "model"),
        (device_info(hardware="1\xe4"), "hardware_version"),
    ],
)
def test_device_info_that_cannot_be(frame: bytes, problem: str | None) -> None:
    assert device_info_problem(decode_device_info(frame, Generation.JK02_32S)) == problem


def test_every_name_of_a_field_is_one() -> None:
    """A name that no table has would never be looked at, and nobody would notice."""
    names = {each.name for layout in CELL_INFO.values() for each in layout.fields}
    assert set(plausibility._QUIET_FIELDS) <= names
    assert set(plausibility._QUIET_FIELDS) >= plausibility._ALWAYS_DOUBTED
    assert names >= telemetry._LIVELY
    assert set(telemetry._PROBES) <= telemetry._LIVELY
    assert names >= telemetry._UNKNOWN_WITHOUT_CELLS
    known = set(telemetry.Telemetry.__slots__)
    assert known >= telemetry._ABSENT_ON_BALANCERS
