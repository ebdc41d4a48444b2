"""Whether a change may be made: what the owner allows, the board takes and the cells bear, in order and not too often.

Each check raises what tells the user which value was wrong and what is allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import isclose
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from .battery.chemistry import chemistry_of, loosens_beyond_safe
from .bms.registers import SETTINGS_BY_KEY, Conflict, Danger, Kind, Setting, SettingValue, conflicts
from .const import CONF_PERMISSION, CONF_WRITES_PER_DAY, DEFAULT_WRITES_PER_DAY, DOMAIN
from .errors import async_names, value_in_words
from .memory import PackMemory
from .pack_state import PackState, register_of
from .permission import Permission

CALIBRATION_SPAN: Final = 0.25
"""A reading that is further off than this is no matter of calibration but of a broken sensor, or of a slip."""

_STEP: Final = {Danger.SWITCH: Permission.SWITCHES, Danger.SETTING: Permission.ALL, Danger.DANGEROUS: Permission.ALL}
_ALLOWS: Final = {
    Permission.READ_ONLY: frozenset[Permission](),
    Permission.SWITCHES: frozenset({Permission.SWITCHES}),
    Permission.ALL: frozenset({Permission.SWITCHES, Permission.ALL}),
}
EMERGENCY: Final = {("charge_switch", False), ("discharge_switch", False), ("emergency", True), ("emergency", False)}
"""What may be written however many writes there were today, and before anything else that waits."""

type Values = Mapping[str, SettingValue]


class Approval:
    """The checks of one pack."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, memory: PackMemory) -> None:
        self.permission: Final = Permission(entry.options.get(CONF_PERMISSION, Permission.READ_ONLY))
        self.writes_per_day: Final[int] = entry.options.get(CONF_WRITES_PER_DAY, DEFAULT_WRITES_PER_DAY)
        self.memory: Final = memory
        self._hass = hass
        self._name = entry.title

    def allows(self, danger: Danger) -> bool:
        """Whether the owner allowed changes of this kind."""
        return _STEP[danger] in _ALLOWS[self.permission]

    def check_permission(self, danger: Danger) -> None:
        """Raise ServiceValidationError if the owner doesn't allow such a change."""
        if not self.allows(danger):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=f"needs_permission_{_STEP[danger]}",
                translation_placeholders={"name": self._name},
            )

    def check_budget(self, values: Values, times: int = 1) -> None:
        """Raise ServiceValidationError if that were too many writes for today; `times` is how often each is written."""
        writes = times * sum((key, value) not in EMERGENCY for key, value in values.items())
        if writes and self.memory.writes_so_far() + writes > self.writes_per_day:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="too_many_writes",
                translation_placeholders={
                    "name": self._name,
                    "writes": str(self.memory.writes_so_far()),
                    "limit": str(self.writes_per_day),
                },
            )

    async def check_value(self, setting: Setting, value: SettingValue, state: PackState) -> None:
        """Raise ServiceValidationError for a value that the board has no register for, or that is out of range."""
        if not state.board.confirmed:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="generation_uncertain",
                translation_placeholders={"name": self._name},
            )
        register = register_of(setting, state)
        if register is None:
            raise await self.invalid("not_on_this_board", setting.key)
        if setting.kind is Kind.TEXT or isinstance(value, str):
            fits = setting.kind is Kind.TEXT and isinstance(value, str) and value.isascii()
            if not fits or len(str(value)) > register.length:
                raise await self.invalid("not_a_text", setting.key, most=str(register.length))
            return
        if setting.kind is Kind.CHOICE and value not in setting.choices_on(state.device_info):
            raise await self.invalid(
                "not_offered", setting.key, choices=", ".join(setting.choices_on(state.device_info).values())
            )
        # What a board has said in the coarse floats of JK04 may miss the end of a range by less than any step.
        rounded = setting.rounded(value)
        assert not isinstance(rounded, str)
        if not register.lowest <= rounded <= register.highest:
            raise await self.invalid(
                "out_of_range",
                setting.key,
                value=value_in_words(self._hass, setting, value),
                lowest=value_in_words(self._hass, setting, register.lowest),
                highest=value_in_words(self._hass, setting, register.highest),
            )

    async def check_danger(
        self, wanted: Values, present: Mapping[str, SettingValue | None], state: PackState, *, confirm: bool
    ) -> None:
        """Raise ServiceValidationError for what must not be written, or not without the user's confirmation."""
        chemistry = chemistry_of(state.telemetry, state.settings)
        for key, value in wanted.items():
            setting, said = SETTINGS_BY_KEY[key], present[key]
            if isinstance(value, str) or isinstance(said, str):
                continue
            if setting.is_calibration and (said is None or not isclose(abs(said), value, rel_tol=CALIBRATION_SPAN)):
                raise await self.invalid(
                    "not_near_reading",
                    key,
                    value=value_in_words(self._hass, setting, value),
                    reading="-" if said is None else value_in_words(self._hass, setting, said),
                )
            if confirm:
                continue
            if setting.danger is Danger.DANGEROUS:
                raise await self.invalid("needs_confirmation", key)
            if (limit := loosens_beyond_safe(key, said, value, chemistry)) is not None:
                raise await self.invalid(
                    "loosens_protection",
                    key,
                    value=value_in_words(self._hass, setting, value),
                    limit=value_in_words(self._hass, setting, limit),
                )

    async def check_order(self, wanted: Values, said: dict[str, float], accepted: Collection[Conflict]) -> None:
        """Raise ServiceValidationError if two settings were in the wrong order then, but for those that are accepted.

        `said` are all present numbers.
        """
        values = said | {key: value for key, value in wanted.items() if not isinstance(value, str)}
        if found := [each for each in conflicts(values, frozenset(wanted)) if each not in accepted]:
            lower, higher = SETTINGS_BY_KEY[found[0].lower], SETTINGS_BY_KEY[found[0].higher]
            names = await async_names(self._hass)
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="wrong_order",
                translation_placeholders={
                    "lower": names(lower.key),
                    "lower_value": value_in_words(self._hass, lower, values[lower.key]),
                    "higher": names(higher.key),
                    "higher_value": value_in_words(self._hass, higher, values[higher.key]),
                },
            )

    async def invalid(self, translation_key: str, key: str, **placeholders: str) -> ServiceValidationError:
        """Return the error for a setting or command that must not be written."""
        names = await async_names(self._hass)
        return ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key=translation_key,
            translation_placeholders={"name": self._name, "setting": names(key), **placeholders},
        )
