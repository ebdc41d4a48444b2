"""What did the owner choose for the guardian of a pack: what it goes by, and what it may do?

Options that are left out mean what is usual: a dry run, nothing that is done, and thresholds that are derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .battery.acting.interface import Action, ActionsConfig, Cooling, Mode, Stop, Target
from .battery.chemistry import chemistry_of
from .battery.chosen import Choice
from .battery.protection import ProtectionConfig
from .battery.thermal.chosen import KEYS as HEAT_KEYS
from .bms.link import LinkMode
from .bms.telemetry import Chemistry
from .const import CONF_INTERVAL, CONF_MODE, DEFAULT_INTERVAL_S
from .pack_state import PackState

CONF_GUARDIAN_MODE: Final = "guardian_mode"
CONF_CHEMISTRY: Final = "chemistry"
CONF_AMBIENT: Final = "ambient_entity"
CONF_COOLING: Final = "cooling_entity"
CONF_COOLING_LEVEL: Final = "cooling_level"
CONF_COOLING_MINUTES: Final = "cooling_minutes"
"""How long cooling runs at least."""
CONF_REDUCE_LEVEL: Final = "reduce_level"
CONF_KEEP_SUPPLIED: Final = "keep_supplied"
CONF_THRESHOLDS: Final = "thresholds"
"""Numbers to go by instead of the derived ones, by their keys."""

DEFAULT_MODE: Final = Mode.DRY_RUN
DEFAULT_COOLING_LEVEL: Final = 1
DEFAULT_COOLING_MINUTES: Final = 10
STOPS: Final = {Action.STOP_CHARGE: 3, Action.STOP_DISCHARGE: 3, Action.BOTH_OFF: 4}
"""What switches currents off, with its usual level. The option of its name is whether the board's switches do it."""

_SWITCHES: Final = {
    Action.STOP_CHARGE: Target.SWITCH_CHARGE,
    Action.STOP_DISCHARGE: Target.SWITCH_DISCHARGE,
    Action.BOTH_OFF: Target.SWITCH_BOTH,
}


def conf_switch(stop: Action) -> str:
    """Return the option for the owner's own switch that does it."""
    return f"{stop}_switch"


def conf_level(stop: Action) -> str:
    """Return the option for the level it is done from."""
    return f"{stop}_level"


DRIVEN: Final = {Action.COOLING: CONF_COOLING, **{stop: conf_switch(stop) for stop in STOPS}}
"""The option that names the entity that is driven for an action."""
ENTITY_OPTIONS: Final = frozenset({CONF_AMBIENT, *DRIVEN.values()})
"""Those that name an entity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianOptions:
    """What the owner chose for one pack."""

    mode: Mode
    ambient_entity: str | None
    protection: ProtectionConfig
    heat: Mapping[str, float]
    """Temperatures in °C, by the keys of heat."""
    actions: ActionsConfig
    entities: Mapping[Target, str]
    """The entity that is driven for each target that the owner named one for."""


def mode_of(options: Mapping[str, Any]) -> Mode:
    """Return how far the guardian goes by itself."""
    return Mode(options.get(CONF_GUARDIAN_MODE, DEFAULT_MODE))


def guardian_options(options: Mapping[str, Any], *, rated_current_a: float | None = None) -> GuardianOptions:
    """Return what the options of an entry say; the rated current, in A, is that of the board."""
    chemistry = options.get(CONF_CHEMISTRY)
    chosen: Mapping[str, float] = options.get(CONF_THRESHOLDS, {})
    entities = {
        target: options[conf_switch(stop)] for stop, target in _SWITCHES.items() if conf_switch(stop) in options
    }
    if CONF_COOLING in options:
        entities[Target.COOLING] = options[CONF_COOLING]
    protection = ProtectionConfig(
        chemistry=None if chemistry is None else Chemistry(chemistry),
        thresholds={key: number for key, number in chosen.items() if key not in HEAT_KEYS},
        rated_current_a=rated_current_a,
    )
    if options.get(CONF_MODE) == LinkMode.PERIODIC:
        protection = replace(protection, frame_period_s=options.get(CONF_INTERVAL, DEFAULT_INTERVAL_S))
    return GuardianOptions(
        mode=mode_of(options),
        ambient_entity=options.get(CONF_AMBIENT),
        protection=protection,
        heat={key: number for key, number in chosen.items() if key in HEAT_KEYS},
        actions=_actions(options),
        entities=entities,
    )


def choice(options: Mapping[str, Any], state: PackState | None) -> Choice:
    """Return the numbers that are chosen, and can be, for a pack as it was last heard of; None: not of late."""
    protection = guardian_options(options).protection
    settings = None if state is None else state.settings
    heard = None if state is None else chemistry_of(state.telemetry, settings)
    return Choice(
        chemistry=protection.chemistry or heard,
        settings=settings,
        numbers=options.get(CONF_THRESHOLDS, {}),
        frame_period_s=protection.frame_period_s,
    )


def _actions(options: Mapping[str, Any]) -> ActionsConfig:
    cooling = None
    if CONF_COOLING in options:
        cooling = Cooling(
            level=options.get(CONF_COOLING_LEVEL, DEFAULT_COOLING_LEVEL),
            least_run_s=60 * options.get(CONF_COOLING_MINUTES, DEFAULT_COOLING_MINUTES),
        )
    return ActionsConfig(
        cooling=cooling,
        reduce_level=options.get(CONF_REDUCE_LEVEL),
        stop_charge=_stop(options, Action.STOP_CHARGE),
        stop_discharge=_stop(options, Action.STOP_DISCHARGE),
        both_off=_stop(options, Action.BOTH_OFF),
        keep_supplied=options.get(CONF_KEEP_SUPPLIED, False),
    )


def _stop(options: Mapping[str, Any], stop: Action) -> Stop | None:
    by_board, by_switch = bool(options.get(stop)), conf_switch(stop) in options
    if not (by_board or by_switch):
        return None
    return Stop(level=options.get(conf_level(stop), STOPS[stop]), by_board=by_board, by_switch=by_switch)
