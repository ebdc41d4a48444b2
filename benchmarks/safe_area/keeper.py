"""The guardian of a simulated pack, with or without what it may do.

What it orders is done after as long as a change of a board takes until it is proved (`benchmarks.control`: 99 % of them
within 0.73 s), and can't be done by the board while the link is down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from benchmarks.safe_area.world import CAPACITY_AH, FRAME_S, Link, World
from custom_components.jk_bms.battery.acting.actor import Actor
from custom_components.jk_bms.battery.acting.interface import (
    ACTION_FAILED,
    ActionsConfig,
    Command,
    Mode,
    Seen,
    Stop,
    Target,
)
from custom_components.jk_bms.battery.guardian import Assessment, Finding, Guardian, GuardianLevel
from custom_components.jk_bms.battery.hazards import Kind, Level
from custom_components.jk_bms.battery.protection import ProtectionConfig
from custom_components.jk_bms.bms.telemetry import Settings, Telemetry

RATED_A: Final = 200.0
CARRIED_OUT_S: Final = 0.75
FRESH_S: Final = 5.0
SWITCHES: Final = {Target.BOARD_CHARGE: "charge_switch", Target.BOARD_DISCHARGE: "discharge_switch"}


@dataclass(slots=True)
class Hands:
    """What the guardian may drive, and what it did."""

    world: World
    has_switches: bool
    """Whether charger and inverter can be switched, beside the board."""
    ordered: list[tuple[float, Command]] = field(default_factory=list)
    """All that was ever ordered, with its time."""
    waiting: list[tuple[float, Command]] = field(default_factory=list)
    """What is not carried out yet, and when it will be."""
    failed: bool = False
    """Whether it says that something can't be done."""

    @property
    def config(self) -> ActionsConfig:
        """The default actions: charge and discharge are stopped at level 3, everything at level 4."""
        stop = Stop(level=GuardianLevel.CRITICAL, by_board=True, by_switch=self.has_switches)
        both = Stop(level=GuardianLevel.EMERGENCY, by_board=True)
        return ActionsConfig(stop_charge=stop, stop_discharge=stop, both_off=both, capacity_ah=CAPACITY_AH)

    def seen(self, telemetry: Telemetry | None, *, fresh: bool) -> Seen:
        """Return what is known of what can be driven."""
        on: dict[Target, bool | None] = {}
        if telemetry is not None:
            on[Target.BOARD_CHARGE] = telemetry.charge_mosfet
            on[Target.BOARD_DISCHARGE] = telemetry.discharge_mosfet
        if self.has_switches:
            on[Target.SWITCH_CHARGE] = self.world.charger_on
            on[Target.SWITCH_DISCHARGE] = self.world.inverter_on
        return Seen(on, None if telemetry is None else telemetry.current_a, fresh)

    def carry_out(self, actor: Actor, now_s: float) -> None:
        """Do what is due."""
        for due_s, command in tuple(self.waiting):
            if due_s > now_s:
                continue
            self.waiting.remove((due_s, command))
            if command.target is Target.SWITCH_CHARGE:
                self.world.charger_on = command.on
            elif command.target is Target.SWITCH_DISCHARGE:
                self.world.inverter_on = command.on
            elif self.world.link is Link.UP:
                self.world.board.change(SWITCHES[command.target], float(command.on))
            else:
                actor.failed(command, now_s)


class Keeper:
    """Listens to a pack and judges; `act` gives it hands."""

    def __init__(self, frame_period_s: float = FRAME_S) -> None:
        self._config = ProtectionConfig(frame_period_s=frame_period_s, rated_current_a=RATED_A)
        self.guardian = Guardian(self._config)
        self.assessment: Assessment | None = None
        self.hands: Hands | None = None
        self._actor = Actor(ActionsConfig())
        self._telemetry: Telemetry | None = None
        self._heard_s = 0.0

    @property
    def found(self) -> tuple[Finding, ...]:
        """What is wrong at present."""
        return self.assessment.findings if self.assessment else ()

    def act(self, world: World, *, has_switches: bool) -> None:
        """Be allowed to do something from now on."""
        self.hands = Hands(world, has_switches)
        self._actor = Actor(self.hands.config, now_s=world.now_s)

    def hear(self, telemetry: Telemetry, settings: Settings | None, now_s: float) -> None:
        """Take a frame."""
        self._telemetry, self._heard_s = telemetry, now_s
        self.assessment = self.guardian.step(telemetry, settings, None, now_s)
        self._do(now_s)

    def miss(self, now_s: float) -> None:
        """Take note that none came."""
        self.assessment = self.guardian.silent(now_s)
        self._do(now_s)

    def restart(self, off_s: float, now_s: float) -> None:
        """Let Home Assistant be restarted after it was off for a time: what is stored is remembered."""
        self.guardian = Guardian(self._config, self.guardian.state())
        self.assessment = self._telemetry = None
        if self.hands is not None:
            self.hands.waiting.clear()
            self._actor = Actor(self.hands.config, self._actor.state(now_s - off_s), off_s, now_s)

    def level(self, *kinds: Kind) -> Level:
        """Return the gravest level of some kinds of hazards."""
        hazards = self.assessment.protection.hazards if self.assessment else ()
        return max((hazard.level for hazard in hazards if hazard.kind in kinds), default=Level.OK)

    def _do(self, now_s: float) -> None:
        hands = self.hands
        if hands is None:
            return
        hands.carry_out(self._actor, now_s)
        seen = hands.seen(self._telemetry, fresh=now_s - self._heard_s <= FRESH_S)
        decision = self._actor.step(self.assessment, seen, Mode.ACT, now_s)
        hands.ordered += [(now_s, command) for command in decision.commands]
        hands.waiting += [(now_s + CARRIED_OUT_S, command) for command in decision.commands]
        if self._config.frame_period_s > CARRIED_OUT_S:
            # It is done long before the next frame.
            hands.carry_out(self._actor, now_s + CARRIED_OUT_S)
        hands.failed = any(finding.cause == ACTION_FAILED for finding in decision.findings)
