"""The packs of the demo and of load tests, each with a house and a charger, and the proxies that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from random import Random

from simulator.board import FIRST_WITH_FIVE_PROBES
from simulator.charger import Charger, House
from simulator.firmware import Firmware
from simulator.models import JK_B2A8S20P, JK_PB2A16S15P, JK_PB2A16S20P, Model
from simulator.notifications import LARGE, LARGE_GLUED
from simulator.pack import Pack
from simulator.proxy import Proxy

CAPACITY_AH = 280.0
CHARGE_A = 140.0
"""0.5 C, what the guide to such packs recommends at most."""
HOUSE_RIPPLE = 0.02
"""Share of the current that swings within tens of milliseconds: an inverter draws in the rhythm of its mains."""
MORNING_S = 9 * 3600.0
"""The simulated day begins when the sun has begun to charge."""


class Site:
    """What a pack is connected to, as a board's load.

    A current that is set takes the place of house and charger, and does not ripple unless a ripple is set as well.
    """

    def __init__(self, house: House, charger: Charger, *, time_s: float = MORNING_S) -> None:
        self.set_current_a: float | None = None
        self.set_ripple_a: float | None = None
        self.ripple_a = 0.0
        """On the current that was returned last, as a standard deviation."""
        self.time_s = time_s
        """Since a midnight."""
        self._house = house
        self._charger = charger

    def current_a(self, dt_s: float, pack_voltage_v: float) -> float:
        """Return the current for the next `dt_s`, + charging."""
        self.time_s += dt_s
        if self.set_current_a is not None:
            self.ripple_a = self.set_ripple_a or 0.0
            return self.set_current_a
        current_a = self._charger.step(dt_s, self._house.current_a(self.time_s), pack_voltage_v)
        self.ripple_a = HOUSE_RIPPLE * abs(current_a) if self.set_ripple_a is None else self.set_ripple_a
        return current_a


class Member:
    """A device of the fleet with its site."""

    def __init__(self, model: Model, cell_count: int, number: int, *, seed: int, speed: float) -> None:
        own_seed = 1000 * seed + number
        self.site = Site(
            House(CAPACITY_AH, own_seed),
            Charger(cell_count=cell_count, charge_current_limit_a=CHARGE_A, discharge_current_limit_a=model.rating_a),
        )
        pack = Pack(
            cell_count,
            CAPACITY_AH,
            seed=own_seed,
            state_of_charge=Random(f"fleet {own_seed}").uniform(0.35, 0.75),
            probe_count=4 if model.major >= FIRST_WITH_FIVE_PROBES else 2,
        )
        self.firmware = Firmware(
            pack,
            model,
            seed=own_seed,
            settings={"charge_current_limit_a": CHARGE_A, "discharge_current_limit_a": model.rating_a},
            load=self._load,
            speed=speed,
        )

    def _load(self, dt_s: float, pack_voltage_v: float) -> float:
        current_a = self.site.current_a(dt_s, pack_voltage_v)
        self.firmware.board.ripple_a = self.site.ripple_a
        return current_a


def demo(*, seed: int, speed: float) -> list[Member]:
    """Return two packs of 16 cells, of two softwares, and one of 8 cells behind a board of an older generation."""
    packs = ((JK_PB2A16S20P, 16), (JK_PB2A16S15P, 16), (JK_B2A8S20P, 8))
    return [Member(model, cells, number, seed=seed, speed=speed) for number, (model, cells) in enumerate(packs)]


def load_test(count: int, *, seed: int, speed: float) -> list[Member]:
    """Return `count` packs of 16 cells, all with the newest layout, in three styles of notification."""
    models = (JK_PB2A16S20P, replace(JK_PB2A16S20P, style=LARGE), replace(JK_PB2A16S15P, style=LARGE_GLUED))
    return [Member(models[number % 3], 16, number, seed=seed, speed=speed) for number in range(count)]


def carried(members: Sequence[Member], *, proxies: int | None, slots: int) -> list[Proxy]:
    """Spread the devices over proxies, as many as the slots ask for unless told otherwise."""
    count = proxies or ceil(len(members) / slots)
    return [
        Proxy(
            f"bluetooth-proxy-{number + 1}",
            f"02:4A:4B:00:00:{number + 1:02X}",
            [member.firmware for member in members[number::count]],
            slots,
        )
        for number in range(count)
    ]
