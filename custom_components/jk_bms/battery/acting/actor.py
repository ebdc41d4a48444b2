"""What is to be done now about what the guardian found?"""

from __future__ import annotations

from ..guardian import Assessment
from .interface import ActionsConfig, Command, Decision, Mode, Seen


class Actor:
    """Decides for one pack. `restored` is what `state` said, `elapsed_s` before `now_s`."""

    def __init__(
        self, config: ActionsConfig, restored: object = None, elapsed_s: float = 0.0, now_s: float = 0.0
    ) -> None:
        self._config = config
        self._known = restored, elapsed_s, now_s

    def step(self, assessment: Assessment | None, seen: Seen, mode: Mode, now_s: float) -> Decision:
        """Decide: on every frame, every five seconds while none come, and when something that is driven changes.

        The assessment is None before the first frame: then only what the owner orders is done.
        """
        del assessment, seen, mode, now_s
        return Decision()

    def failed(self, command: Command, now_s: float, *, refused: bool = False) -> None:
        """Take note that a command could not be given at all; `refused`: for lack of permission."""
        del command, now_s, refused

    def cool(self, now_s: float, *, until_s: float | None = None, until_c: float | None = None) -> None:
        """Cool by hand until a time, until no probe is above a temperature, or for the least time if neither is said.

        It takes effect with the next step, and so do the other orders.
        """
        del now_s, until_s, until_c

    def stop_cooling(self, now_s: float) -> None:
        """End cooling, by hand or not; it stands until the level rises or comes anew."""
        del now_s

    def emergency_stop(self, now_s: float, *, charge: bool, discharge: bool) -> None:
        """Switch off, by the board and all switches that the owner named for it, until `reset`."""
        del now_s, charge, discharge

    def reset(self, now_s: float) -> None:
        """End what is latched after an emergency or an emergency stop; nothing is switched on by that."""
        del now_s

    def state(self, now_s: float) -> dict[str, object]:
        """Return what has to be kept over a restart, for JSON: ages in s, no times."""
        del now_s
        return {}
