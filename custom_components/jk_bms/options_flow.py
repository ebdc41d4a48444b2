"""What its owner can choose for a pack: how it is read, what may be changed, what the guardian goes by and may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import probatio
from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import Platform, UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.helpers.translation import async_get_translations

from .battery.acting.interface import Action, Mode
from .battery.chosen import Choice
from .bms.link import LinkMode
from .bms.telemetry import Chemistry
from .const import (
    CONF_INTERVAL,
    CONF_MODE,
    CONF_PAUSE_MINUTES,
    CONF_PERMISSION,
    CONF_PUBLISH_INTERVAL,
    CONF_WRITES_PER_DAY,
    DEFAULT_INTERVAL_S,
    DEFAULT_PAUSE_MINUTES,
    DEFAULT_PUBLISH_INTERVAL_S,
    DEFAULT_WRITES_PER_DAY,
    DOMAIN,
    MAX_INTERVAL_S,
    MAX_PAUSE_MINUTES,
    MAX_PUBLISH_INTERVAL_S,
    MAX_WRITES_PER_DAY,
    MIN_INTERVAL_S,
    MIN_PAUSE_MINUTES,
    MIN_PUBLISH_INTERVAL_S,
    MIN_WRITES_PER_DAY,
)
from .coordinator import JkBmsConfigEntry
from .guardian_options import (
    CONF_AMBIENT,
    CONF_CHEMISTRY,
    CONF_COOLING,
    CONF_COOLING_LEVEL,
    CONF_COOLING_MINUTES,
    CONF_GUARDIAN_MODE,
    CONF_KEEP_SUPPLIED,
    CONF_REDUCE_LEVEL,
    CONF_THRESHOLDS,
    DEFAULT_COOLING_LEVEL,
    DEFAULT_COOLING_MINUTES,
    DEFAULT_MODE,
    DRIVEN,
    STOPS,
    choice,
    conf_level,
    conf_switch,
)
from .permission import Permission
from .threshold_words import group_of, in_words, problems_in_words, range_in_words, unit_of

SECTION_ADVANCED: Final = "advanced"
MENU: Final = ("link", "guardian", "actions", "thresholds")
AUTO: Final = "auto"
"""The chemistry is what the board says it is."""
OFF: Final = "off"
COOLING_DOMAINS: Final = (
    Platform.FAN,
    Platform.SWITCH,
    Platform.CLIMATE,
    Platform.HUMIDIFIER,
    "input_boolean",
    "script",
)
SWITCH_DOMAINS: Final = (Platform.SWITCH, "input_boolean")
_LEVELS: Final = {
    Action.COOLING: (1, 2, 3),
    Action.REDUCE: (1, 2, 3),
    Action.STOP_CHARGE: (2, 3, 4),
    Action.STOP_DISCHARGE: (2, 3, 4),
    Action.BOTH_OFF: (3, 4),
}
_MAX_COOLING_MINUTES: Final = 240


def _number(least: int, most: int, unit: UnitOfTime | None = None) -> Callable[[object], object]:
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return probatio.All(NumberSelector(config), probatio.Coerce(int))


def _select(options: Iterable[str], key: str, mode: SelectSelectorMode = SelectSelectorMode.LIST) -> SelectSelector:
    return SelectSelector(SelectSelectorConfig(options=list(options), translation_key=key, mode=mode))


MODE_SELECTOR: Final = _select(Mode, CONF_GUARDIAN_MODE)
LINK_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_PERMISSION, default=Permission.READ_ONLY): _select(Permission, CONF_PERMISSION),
        probatio.Required(CONF_MODE, default=LinkMode.LIVE): _select(LinkMode, CONF_MODE),
        probatio.Required(CONF_INTERVAL, default=DEFAULT_INTERVAL_S): _number(
            MIN_INTERVAL_S, MAX_INTERVAL_S, UnitOfTime.SECONDS
        ),
        probatio.Required(SECTION_ADVANCED): section(
            probatio.Schema(
                {
                    probatio.Required(CONF_PUBLISH_INTERVAL, default=DEFAULT_PUBLISH_INTERVAL_S): _number(
                        MIN_PUBLISH_INTERVAL_S, MAX_PUBLISH_INTERVAL_S, UnitOfTime.SECONDS
                    ),
                    probatio.Required(CONF_PAUSE_MINUTES, default=DEFAULT_PAUSE_MINUTES): _number(
                        MIN_PAUSE_MINUTES, MAX_PAUSE_MINUTES, UnitOfTime.MINUTES
                    ),
                    probatio.Required(CONF_WRITES_PER_DAY, default=DEFAULT_WRITES_PER_DAY): _number(
                        MIN_WRITES_PER_DAY, MAX_WRITES_PER_DAY
                    ),
                }
            ),
            {"collapsed": True},
        ),
    }
)
GUARDIAN_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_GUARDIAN_MODE, default=DEFAULT_MODE): MODE_SELECTOR,
        probatio.Required(CONF_CHEMISTRY, default=AUTO): _select(
            (AUTO, *Chemistry), CONF_CHEMISTRY, SelectSelectorMode.DROPDOWN
        ),
        probatio.Optional(CONF_AMBIENT): EntitySelector(
            EntitySelectorConfig(
                filter=[
                    {"domain": Platform.SENSOR, "device_class": "temperature"},
                    {"domain": [Platform.WEATHER, Platform.CLIMATE]},
                ]
            )
        ),
    }
)


class JkBmsOptionsFlow(OptionsFlowWithReload):
    """A menu; each of its forms sets the options that it shows, and leaves the others as they are."""

    config_entry: JkBmsConfigEntry

    def __init__(self) -> None:
        self._options: dict[str, Any] = {}

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what there is to choose."""
        return self.async_show_menu(
            step_id="init", menu_options=list(MENU), description_placeholders={"name": self.config_entry.title}
        )

    async def async_step_link(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how the pack is read, and what may be changed."""
        options: Mapping[str, Any] = self.config_entry.options
        errors: dict[str, str] = {}
        if user_input is not None:
            entered = user_input | user_input.pop(SECTION_ADVANCED)
            options = {**options, **entered}
            if not _needs_switches(options) or _may_switch(options):
                return self.async_create_entry(data=options)
            errors[CONF_PERMISSION] = "guardian_needs_switches"
        return self._form("link", LINK_SCHEMA, {**options, SECTION_ADVANCED: options}, errors)

    async def async_step_guardian(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how far the guardian goes, and what it goes by."""
        options = self.config_entry.options
        if user_input is not None:
            entered = {key: value for key, value in user_input.items() if value != AUTO}
            return self.async_create_entry(data=_without(options, GUARDIAN_SCHEMA.schema) | entered)
        return self._form("guardian", GUARDIAN_SCHEMA, options)

    async def async_step_actions(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask what is to be done; one thing can't be on for one action and off for another."""
        options: Mapping[str, Any] = self._options or self.config_entry.options
        errors: dict[str, str] = {}
        elsewhere: dict[Action, str] = {}
        schema = self._actions_schema(options)
        if user_input is not None:
            entered = {key: value for each in user_input.values() for key, value in each.items() if value != OFF}
            for key in entered.keys() & {conf_level(action) for action in Action}:
                entered[key] = int(entered[key])
            changed = _without(options, *(each.schema.schema for each in schema.schema.values())) | entered
            chosen = [(action, changed[key]) for action, key in DRIVEN.items() if key in changed]
            for number, (action, entity_id) in enumerate(chosen):
                if entity_id in [earlier for _, earlier in chosen[:number]]:
                    errors[action.value] = "used_twice"
            elsewhere = await self._used_elsewhere(chosen)
            for action in elsewhere:
                errors[action.value] = "used_elsewhere"
            if not errors:
                self._options = changed
                if _needs_switches(changed) and not _may_switch(changed):
                    return await self.async_step_permission()
                return await self._async_actions_chosen()
            options = changed
            schema = self._actions_schema(options)
        texts = {key: str(value) for key, value in options.items() if key.endswith("_level")}
        shown = {**options, **texts}
        placeholders = {"elsewhere": ", ".join(elsewhere.values())}
        return self._form("actions", schema, dict.fromkeys(map(str, schema.schema), shown), errors, placeholders)

    async def _used_elsewhere(self, chosen: Iterable[tuple[Action, str]]) -> dict[Action, str]:
        """Return, by the action that it is chosen for, what another pack has for another action, and which."""
        names = await async_get_translations(self.hass, self.hass.config.language, "selector", [DOMAIN])
        return {
            action: f"{entry.title} ({names[f'component.{DOMAIN}.selector.action.options.{other}']})"
            for entry in self.hass.config_entries.async_entries(DOMAIN, include_disabled=False)
            if entry is not self.config_entry
            for other, key in DRIVEN.items()
            for action, entity_id in chosen
            if other is not action and entry.options.get(key) == entity_id
        }

    async def async_step_permission(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the board may be switched, as is needed for what was chosen; the way back keeps it."""
        return self.async_show_menu(
            step_id="permission",
            menu_options=["allow_switches", "actions"],
            description_placeholders={"name": self.config_entry.title},
        )

    async def async_step_allow_switches(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the board be switched."""
        self._options[CONF_PERMISSION] = Permission.SWITCHES
        return await self._async_actions_chosen()

    async def _async_actions_chosen(self) -> ConfigFlowResult:
        if _cuts_power(self._options) and not _cuts_power(self.config_entry.options):
            return await self.async_step_supply()
        return self.async_create_entry(data=self._options)

    async def async_step_supply(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make sure that the owner knows what loses its power when the pack is switched off."""
        if user_input is None:
            return self._form("supply", probatio.Schema({}), {})
        return self.async_create_entry(data=self._options)

    async def async_step_thresholds(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for numbers to go by instead of those that are derived."""
        options: Mapping[str, Any] = self.config_entry.options
        errors: dict[str, str] = {}
        problems = ""
        chosen = self._choice(options)
        keys = chosen.keys()
        if user_input is not None:
            entered = {key: value for each in user_input.values() for key, value in each.items()}
            numbers = _without(chosen.numbers, keys) | entered
            options = _without(options, (CONF_THRESHOLDS,)) | ({CONF_THRESHOLDS: numbers} if numbers else {})
            chosen = self._choice(options)
            wrong = [problem for problem in chosen.problems() if problem.key in entered]
            if not wrong:
                return self.async_create_entry(data=options)
            errors = {group_of(problem.key): "out_of_range" for problem in wrong}
            problems = problems_in_words(self.hass, wrong)
        fields: dict[str, dict[probatio.Marker, object]] = {}
        for key in keys:
            fields.setdefault(group_of(key), {})[probatio.Optional(key)] = _threshold_selector(key)
        schema = probatio.Schema(
            {
                probatio.Required(name): section(probatio.Schema(each), {"collapsed": name not in errors})
                for name, each in fields.items()
            }
        )
        placeholders = {key: in_words(key, chosen.derived(key)) for key in keys}
        placeholders |= {f"{key}_range": range_in_words(key, chosen.accepted_range(key)) for key in keys}
        suggested = dict.fromkeys(fields, chosen.numbers)
        return self._form("thresholds", schema, suggested, errors, placeholders | {"problems": problems})

    def _form(
        self,
        step_id: str,
        schema: probatio.Schema,
        suggested: Mapping[str, Any],
        errors: dict[str, str] | None = None,
        placeholders: Mapping[str, str] = MappingProxyType({}),
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors=errors,
            description_placeholders={"name": self.config_entry.title, **placeholders},
        )

    def _actions_schema(self, options: Mapping[str, Any]) -> probatio.Schema:
        """Return the form with the actions that are chosen open, and cooling, which is where to begin."""
        ours = [entry.entity_id for entry in er.async_get(self.hass).entities.values() if entry.platform == DOMAIN]

        def entity(*domains: str) -> EntitySelector:
            return EntitySelector(EntitySelectorConfig(domain=list(domains), exclude_entities=ours))

        def level(action: Action, *more: str) -> SelectSelector:
            levels = (*more, *map(str, _LEVELS[action]))
            return _select(levels, "action_level", SelectSelectorMode.DROPDOWN)

        sections: dict[Action, dict[probatio.Marker, object]] = {
            Action.COOLING: {
                probatio.Optional(CONF_COOLING): entity(*COOLING_DOMAINS),
                probatio.Required(CONF_COOLING_LEVEL, default=str(DEFAULT_COOLING_LEVEL)): level(Action.COOLING),
                probatio.Required(CONF_COOLING_MINUTES, default=DEFAULT_COOLING_MINUTES): _number(
                    1, _MAX_COOLING_MINUTES, UnitOfTime.MINUTES
                ),
            },
            Action.REDUCE: {probatio.Required(CONF_REDUCE_LEVEL, default=OFF): level(Action.REDUCE, OFF)},
        }
        for stop, usual in STOPS.items():
            sections[stop] = {
                probatio.Required(stop.value, default=False): BooleanSelector(),
                probatio.Optional(conf_switch(stop)): entity(*SWITCH_DOMAINS),
                probatio.Required(conf_level(stop), default=str(usual)): level(stop),
            }
        sections[Action.STOP_DISCHARGE][probatio.Required(CONF_KEEP_SUPPLIED, default=False)] = BooleanSelector()
        return probatio.Schema(
            {
                probatio.Required(action.value): section(
                    probatio.Schema(fields),
                    {"collapsed": action is not Action.COOLING and not _is_chosen(action, options)},
                )
                for action, fields in sections.items()
            }
        )

    def _choice(self, options: Mapping[str, Any]) -> Choice:
        loaded = self.config_entry.state is ConfigEntryState.LOADED
        return choice(options, self.config_entry.runtime_data.state if loaded else None)


def _without(options: Mapping[str, Any], *fields: Iterable[object]) -> dict[str, Any]:
    """Return options without those that forms show: what is left empty there is left out."""
    shown = {str(field) for each in fields for field in each}
    return {key: value for key, value in options.items() if key not in shown}


def _needs_switches(options: Mapping[str, Any]) -> bool:
    return any(options.get(stop) for stop in STOPS)


def _may_switch(options: Mapping[str, Any]) -> bool:
    return bool(options.get(CONF_PERMISSION, Permission.READ_ONLY) != Permission.READ_ONLY)


def _is_chosen(action: Action, options: Mapping[str, Any]) -> bool:
    if action is Action.REDUCE:
        return CONF_REDUCE_LEVEL in options
    return bool(options.get(action)) or conf_switch(action) in options


def _cuts_power(options: Mapping[str, Any]) -> bool:
    """Whether the guardian may end the discharge, and with it what lives on the pack."""
    return any(_is_chosen(stop, options) for stop in (Action.STOP_DISCHARGE, Action.BOTH_OFF))


def _threshold_selector(key: str) -> NumberSelector:
    config = NumberSelectorConfig(step="any", mode=NumberSelectorMode.BOX)
    if unit := unit_of(key):
        config["unit_of_measurement"] = unit
    return NumberSelector(config)
