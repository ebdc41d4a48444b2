"""What is to be done now about what the guardian found?

Cooling and reducing go by the level of heat, stopping by heat and by the hazards whose cure it is (`reasons`). Whatever
is driven is verified and, if need be, asked for again (`drive`); it is put back when nothing asks for it any more and
frames have come for a minute. What follows from what happens meanwhile:

| What happens | What is done |
|---|---|
| restart at level 3 | what is off stays off, is not ordered again, and is put back only when level 3 is over |
| restart at level 4 | it stays latched |
| restart in the time of grace | the time goes on |
| restart while it cools | cooling goes on, and so does its least time |
| restart after an order nobody answered | what didn't happen is ordered once more, what did happen is not |
| link lost at level 2 | cooling and limit are held, nothing is put back, the limit doesn't rise |
| link lost at level 3 | the owner's switches are driven, the board as soon as it is heard of |
| link back after level 3 | nothing is put back for a minute |
| no temperatures at level 3 | nothing is put back |
| no probe at all | no heat is known of; what is off for something else is put back when that is over |
| paused for the phone app at level 3 | as if the link were lost |
| cooling not there | action failed after 15 s; it is started as soon as it is there |
| cooling gone while it runs | the same |
| cooling on before | it is not turned off |
| charge off before | it is not switched on |
| switched on by hand at level 3 | that stands until the level rises or comes anew |
| switched on by hand at level 4 | it is switched off again |
| switched on in the phone app during a pause at level 3 | as by hand |
| no permission | action failed at once; it is tried again like everything that fails |
| no answer | it is ordered again after 10, 30, 60 s and then every minute; action failed after the second time |
| off, and yet a current | the same |
| off by the board itself, and still switched on | it is left so but in an emergency; what was ordered is switched off |
| ordered too often | 4 an hour, except at level 4; what is put back leaves one for stopping again |
| cooled too often | 6 starts an hour; the last of them isn't ended before another one is free |
| acting is left | cooling and limit end, what is switched off stays off and isn't put back later |
| an action taken out of the options | what it switched off stays off |
| another pack holds it too | it is left to that pack, even if that is out of reach by now |
| reset after level 4 | nothing is switched on; what the owner switches on then stays on, below level 3 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from ..guardian import HEAT, HEAT_HELD, Assessment, GuardianLevel
from .drive import Drive, Outbox, Sight, Want, seconds
from .hands import Hands
from .interface import (
    BOARD,
    BY_HAND,
    Action,
    ActionsConfig,
    Command,
    Decision,
    Detail,
    Mode,
    Record,
    Result,
    Seen,
    Target,
)
from .reasons import NONE, Heat, Way, Ways, asks_to_end_discharge, cause_of_heat, orders, stops, wants

_STEADY_S: Final = 60.0
"""How long frames have come before anything is put back."""
_FLOWS_A: Final = 1.0
"""The boards' zero may be off by that much."""
_DISCHARGE_ENDS_C: Final = 58.0
"""Of LFP, as long as nothing else is known."""
_LEAST_RUN_S: Final = 600.0
_LONGEST_BY_HAND_S: Final = 12 * 3600.0
"""Cooling that nobody said an end of, or one that is never reached."""
_FLOWING: Final = {Target.BOARD_CHARGE: 1, Target.BOARD_DISCHARGE: -1}


class Actor:
    """Decides for one pack. `restored` is what `state` said, `elapsed_s` before `now_s`."""

    def __init__(
        self, config: ActionsConfig, restored: object = None, elapsed_s: float = 0.0, now_s: float = 0.0
    ) -> None:
        self._config: Final = config
        self._heat = 0
        self._cause = HEAT_HELD
        self._cools = False
        """Moving air would help at this level."""
        self._stopping_s: float | None = None
        """Since when heat asks for the discharge to be stopped."""
        self._ends_discharge = False
        self._discharge_ends_c = _DISCHARGE_ENDS_C
        self._steady_s: float | None = None
        """Since when temperatures have come as they are meant to."""
        self._ordered: Ways = NONE
        self._by_hand: tuple[float, float | None] | None = None
        """When, and at which temperature, cooling by hand ends."""
        self._hands = Hands(config)
        self._dry: Hands | None = None
        self._pretended: dict[Target, bool] = {}
        self._news = Outbox()
        self._last: Record | None = None
        if isinstance(restored, dict):
            self._restore(restored, now_s - max(elapsed_s, 0.0))

    def step(self, assessment: Assessment | None, seen: Seen, mode: Mode, now_s: float) -> Decision:
        """Decide: on every frame, every five seconds while none come, and when something that is driven changes.

        The assessment is None before the first frame: then what is remembered and what the owner orders is done.
        """
        self._look(assessment, seen, now_s)
        if not seen.fresh:
            seen = replace(seen, on={**seen.on, **dict.fromkeys(BOARD)}, barred=frozenset())
        out, self._news = self._news, Outbox()
        hands = self._hands
        ordered = orders(self._config, self._ordered)
        if mode is not Mode.ACT:
            hands.leave(ordered, now_s, out)
        self._act(hands, assessment, seen, now_s, out, acts=mode is Mode.ACT, ordered=ordered)
        if any(record.target is Target.COOLING and record.detail is Detail.BY_HAND for record in out.records):
            self._by_hand = None
        if mode is Mode.DRY_RUN:
            out.records += self._pretend(assessment, seen, now_s)
        else:
            self._dry = None
        if out.records:
            self._last = out.records[-1]
        return Decision(
            commands=tuple(out.commands),
            records=tuple(out.records),
            findings=tuple(drive.finding for drive in hands.drives.values() if drive.finding is not None),
            limit_a=hands.reduction.limit_a,
            held=self.held,
            limited=frozenset(target for target, drive in hands.drives.items() if drive.is_limited),
            cooling_by_hand=self._by_hand is not None,
            cooling_until_s=None if self._by_hand is None else self._by_hand[0],
            latched=hands.latched or bool(self._ordered),
            last=self._last,
        )

    @property
    def held(self) -> frozenset[Target]:
        """What isn't as it usually is because of us, be it since before a restart."""
        return frozenset(target for target, drive in self._hands.drives.items() if drive.is_held)

    def adapt(self, capacity_ah: float | None, discharge_ends_c: float) -> None:
        """Go by a capacity that became known, and by where heat leaves the discharge no time of grace."""
        self._discharge_ends_c = discharge_ends_c
        for hands in (self._hands, self._dry):
            if hands is not None:
                hands.reduction.capacity_ah = capacity_ah

    def failed(self, command: Command, now_s: float, *, refused: bool = False) -> None:
        """Take note that a command could not be given at all; `refused`: for lack of permission."""
        self._hands.drives[command.target].fail(command, now_s, self._news, refused=refused)

    def cool(self, now_s: float, *, until_s: float | None = None, until_c: float | None = None) -> None:
        """Cool by hand until a time, until no probe is above a temperature, or for the least time if neither is said.

        It takes effect with the next step, and so do the other orders.
        """
        if until_s is None:
            least_s = _LEAST_RUN_S if self._config.cooling is None else self._config.cooling.least_run_s
            until_s = now_s + (least_s if until_c is None else _LONGEST_BY_HAND_S)
        self._by_hand = until_s, until_c
        self._hands.drives[Target.COOLING].heed()

    def stop_cooling(self) -> None:
        """End cooling, by hand or not; it stands until the level rises or comes anew."""
        self._by_hand = None
        self._hands.drives[Target.COOLING].dismiss()

    def emergency_stop(self, *, charge: bool, discharge: bool) -> None:
        """Switch off, by the board and all switches that the owner named for it, until `reset`."""
        self._ordered |= {way for way, asked in ((Way.CHARGE, charge), (Way.DISCHARGE, discharge)) if asked}

    def reset(self, now_s: float) -> None:
        """End what is latched after an emergency or an emergency stop; nothing is switched on by that."""
        self._ordered = NONE
        self._hands.unlatch(now_s, self._news)
        if self._dry is not None:
            self._dry.unlatch(now_s, Outbox())

    def state(self, now_s: float) -> dict[str, object]:
        """Return what has to be kept over a restart, for JSON: ages in s, no times."""
        by_hand = self._by_hand
        return {
            **self._hands.state(now_s),
            "heat": self._heat,
            "cause": self._cause,
            "cools": self._cools,
            "stopping_for_s": None if self._stopping_s is None else now_s - self._stopping_s,
            "ends_discharge": self._ends_discharge,
            "ordered": sorted(way.value for way in self._ordered),
            "cooling_for_s": None if by_hand is None else by_hand[0] - now_s,
            "cooling_until_c": None if by_hand is None else by_hand[1],
            "last": None if self._last is None else _stored(self._last, now_s),
        }

    def _restore(self, known: dict[str, object], then_s: float) -> None:
        self._hands.restore(known, then_s, self._news)
        heat = known.get("heat")
        self._heat = heat if isinstance(heat, int) and heat in set(GuardianLevel) else 0
        self._cause = str(known.get("cause", HEAT_HELD))
        self._cools = known.get("cools") is True
        stopping_s = seconds(known.get("stopping_for_s"))
        self._stopping_s = None if stopping_s is None else then_s - stopping_s
        self._ends_discharge = known.get("ends_discharge") is True
        ordered = known.get("ordered")
        self._ordered = frozenset(way for way in Way if isinstance(ordered, list) and way.value in ordered)
        cooling_s = seconds(known.get("cooling_for_s"))
        if cooling_s is not None:
            until_c = known.get("cooling_until_c")
            self._by_hand = then_s + cooling_s, float(until_c) if isinstance(until_c, (int, float)) else None
        self._last = _recorded(known.get("last"), then_s)

    def _look(self, assessment: Assessment | None, seen: Seen, now_s: float) -> None:
        """Take what is new of the heat; of what isn't known the last is held."""
        hottest_c, steady = None, False
        if assessment is not None and assessment.thermal.level is not None:
            thermal = assessment.thermal
            self._heat, self._cause = int(assessment.thermal.level), cause_of_heat(assessment)
            hottest_c = thermal.hottest_c
            steady = seen.fresh and not assessment.monitoring_lost  # what is read seldom is blind in between
            if steady and thermal.blind_since_s is None:
                self._cools = thermal.cooling_helps
        elif assessment is not None and not assessment.probes:
            steady = seen.fresh  # there is no heat to be known of
        if not steady:
            self._steady_s = None
        elif self._steady_s is None:
            self._steady_s = now_s
        config = self._config
        hazards = () if assessment is None else assessment.protection.hazards
        stop = config.stop_discharge
        if stop is None or not asks_to_end_discharge(stop, self._heat, hazards):
            self._stopping_s, self._ends_discharge = None, False
        else:
            self._stopping_s = now_s if self._stopping_s is None else self._stopping_s
            hot = hottest_c is not None and hottest_c >= self._discharge_ends_c
            self._ends_discharge |= hot or now_s - self._stopping_s >= config.grace_s
        if self._by_hand is not None:
            until_s, until_c = self._by_hand
            cool = steady and until_c is not None and hottest_c is not None and hottest_c <= until_c
            if cool or now_s >= until_s:
                self._by_hand = None

    def _act(
        self,
        hands: Hands,
        assessment: Assessment | None,
        seen: Seen,
        now_s: float,
        out: Outbox,
        *,
        acts: bool,
        ordered: Mapping[Target, Want] | None,
    ) -> None:
        """Drive what is to be driven: `acts`, for what was found; and what was ordered, None in a dry run."""
        config = self._config
        wanted: dict[Target, Want] = {}
        if acts:
            hands.latched |= self._heat >= GuardianLevel.EMERGENCY and bool(stops(config))
            level = int(GuardianLevel.EMERGENCY) if hands.latched else self._heat
            ends_discharge = self._ends_discharge and not config.keep_supplied
            heat = Heat(level, self._cause, ends_discharge or level >= GuardianLevel.EMERGENCY)
            wanted = wants(config, heat, () if assessment is None else assessment.protection.hazards)
            thermal = assessment.thermal if assessment is not None and self._steady_s is not None else None
            hands.reduce(self._heat, self._cause, thermal, seen.current_a, now_s, out)
        wanted.update(ordered or {})
        cooling = self._cooling_wanted(acts=acts, by_hand=ordered is not None and self._by_hand is not None)
        if cooling is not None:
            wanted[Target.COOLING] = cooling

        def look(target: Target) -> Sight:
            current_a = (seen.current_a or 0.0) * _FLOWING.get(target, 0)
            flows, elsewhere = current_a > _FLOWS_A, target in seen.held_elsewhere
            return Sight(seen.on.get(target), flows, elsewhere, target in seen.barred)

        def may_end(drive: Drive) -> bool:
            steady_s = self._steady_s
            if drive.target is Target.COOLING:
                least_s = 0.0 if config.cooling is None else config.cooling.least_run_s
                return (
                    not acts
                    or drive.cause == BY_HAND
                    or (steady_s is not None and now_s - drive.began_s >= least_s and drive.budget.left(now_s) > 0)
                )
            return acts and not hands.latched and steady_s is not None and now_s - steady_s >= _STEADY_S

        hands.drive(wanted, look, now_s, out, may_end=may_end)

    def _cooling_wanted(self, *, acts: bool, by_hand: bool) -> Want | None:
        cooling = self._config.cooling
        reasons: dict[str, int] = {}
        if acts and cooling is not None and self._heat >= cooling.level:
            reasons[HEAT] = self._heat
        if by_hand:
            reasons[BY_HAND] = int(GuardianLevel.ADVISORY)
        if not reasons:
            return None
        return Want(Action.COOLING, BY_HAND if by_hand else self._cause, reasons, due=by_hand or self._cools)

    def _pretend(self, assessment: Assessment | None, seen: Seen, now_s: float) -> list[Record]:
        """Act on what would be if it had been acted upon; return what would have been done."""
        if self._dry is None:
            self._dry, self._pretended = Hands(self._config), {}
            self._dry.reduction.capacity_ah = self._hands.reduction.capacity_ah
        dry, pretended = self._dry, self._pretended
        out = Outbox()
        imagined = replace(seen, on={**seen.on, **pretended}, current_a=None, barred=seen.barred - pretended.keys())
        self._act(dry, assessment, imagined, now_s, out, acts=True, ordered=None)
        pretended.update({command.target: command.on for command in out.commands})
        for target, drive in dry.drives.items():
            if not drive.is_held:
                pretended.pop(target, None)
        return [
            replace(record, result=Result.WOULD)
            for record in out.records
            if record.result is Result.PENDING or record.action is Action.REDUCE
        ]


def _stored(record: Record, now_s: float) -> dict[str, object]:
    """Return a record for JSON, with its age for its time."""
    return {**asdict(record), "at_s": now_s - record.at_s}


def _recorded(stored: object, then_s: float) -> Record | None:
    """Return what `_stored` made of a record at a time; None if it can't be read."""
    if not isinstance(stored, dict) or (age_s := seconds(stored.get("at_s"))) is None:
        return None
    target = stored.get("target")
    try:
        return Record(
            Action(str(stored.get("action"))),
            stored.get("on") is True,
            Result(str(stored.get("result"))),
            str(stored.get("cause")),
            then_s - age_s,
            None if target is None else Target(str(target)),
            str(stored.get("detail")),
        )
    except ValueError:
        return None
