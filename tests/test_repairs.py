"""Repairs come when the owner has to act, and go by themselves."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.jk_bms import coordinator
from custom_components.jk_bms.bms.gatt import PAIRING_PROBLEMS
from custom_components.jk_bms.bms.link import LinkProblem, LinkState
from custom_components.jk_bms.const import DOMAIN
from custom_components.jk_bms.repairs import Issue

from .fake_link import FakeLink
from .packs import PACK_32S, Pack, Packs

MINUTE_S = 60


@pytest.fixture
async def pack(packs: Packs) -> Pack:
    return await packs.add(*PACK_32S)


def raised(hass: HomeAssistant) -> set[str]:
    """Return the issues there are, without the entry they belong to."""
    return {
        issue.translation_key or ""
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


def receive(pack: Pack, good: int, *, bad_sum: int = 0, implausible: int = 0) -> None:
    """Count frames; the implausible ones are among the good, as their sum is right."""
    counters = pack.link.receiver.assembler.counters
    counters.good += good
    counters.bad_sum += bad_sum
    pack.link.receiver._rejected += implausible


async def test_a_healthy_pack_needs_no_repair(hass: HomeAssistant, packs: Packs, pack: Pack) -> None:
    for _ in range(12):
        receive(pack, 120)
        await packs.advance(MINUTE_S)
    assert not raised(hass)


def asked(pack: Pack) -> bool:
    """Return whether Home Assistant asks for the pass code."""
    return any(pack.entry.async_get_active_flows(pack.hass, {SOURCE_REAUTH}))


@pytest.mark.parametrize("problem", sorted(PAIRING_PROBLEMS))
async def test_passcode_is_asked_for_until_a_link_holds(
    hass: HomeAssistant, packs: Packs, pack: Pack, problem: LinkProblem
) -> None:
    for _ in range(2):
        pack.link.report(state=LinkState.DISCONNECTED, problem=problem, connects=1)
        await packs.advance(MINUTE_S)
        (issue,) = ir.async_get(hass).issues.values()
        assert (issue.domain, issue.translation_key) == ("homeassistant", "config_entry_reauth"), "one thing to do"

    for connects in (2, 3):  # connected each time one looks, but never for long
        pack.link.report(state=LinkState.CONNECTED, problem=None, connects=connects)
        await packs.advance(MINUTE_S)
        assert asked(pack)
    pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.OUT_OF_RANGE)
    await packs.advance(MINUTE_S)
    pack.link.report(state=LinkState.CONNECTED, problem=None)
    await packs.advance(MINUTE_S)
    assert asked(pack)
    await packs.advance(MINUTE_S)
    assert not asked(pack)
    assert not ir.async_get(hass).issues


async def test_pairing_is_settled_by_a_periodic_read(packs: Packs, pack: Pack) -> None:
    pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.PAIRING_NEEDED)
    await packs.advance(MINUTE_S)
    assert asked(pack)
    pack.link.report(state=LinkState.WAITING, problem=None)
    await packs.advance(MINUTE_S)
    assert not asked(pack)


async def test_start_waits_for_what_a_bond_brings(hass: HomeAssistant, packs: Packs) -> None:
    with patch.object(FakeLink, "in_doubt", new=True), patch.object(coordinator, "START_TIMEOUT_S", 0):
        pack = await packs.add(fails_with=LinkProblem.CONNECTION_FAILED)
    assert pack.entry.state is ConfigEntryState.SETUP_RETRY
    assert not asked(pack)


async def test_pack_held_by_another_client_for_long(hass: HomeAssistant, packs: Packs, pack: Pack) -> None:
    pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.BUSY)
    for state in (LinkState.CONNECTING, LinkState.DISCONNECTED) * 5:
        await packs.advance(MINUTE_S)
        assert not raised(hass)
        pack.link.report(state=state)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {Issue.BUSY}

    pack.link.report(state=LinkState.CONNECTED, problem=None)
    await packs.advance(MINUTE_S)
    assert not raised(hass)


async def attempts(packs: Packs, minutes: int, problem: LinkProblem) -> None:
    """Let Home Assistant try to set up again and again: after 1, 2, 3, 4, 6, 9 and 15 minutes."""
    with patch.object(FakeLink, "fails_with", problem):
        for _ in range(minutes):
            await packs.advance(MINUTE_S)
            await packs.hass.async_block_till_done(wait_background_tasks=True)


async def test_pack_held_since_before_the_start(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(fails_with=LinkProblem.BUSY)
    await attempts(packs, 10, LinkProblem.BUSY)
    assert not raised(hass)
    await attempts(packs, 5, LinkProblem.BUSY)
    assert raised(hass) == {Issue.BUSY}

    with patch.object(FakeLink, "first", PACK_32S):
        assert await hass.config_entries.async_reload(pack.entry.entry_id)
    assert pack.entry.state is ConfigEntryState.LOADED
    assert not raised(hass)


async def test_pack_that_was_away_meanwhile_is_not_held_for_long(hass: HomeAssistant, packs: Packs) -> None:
    await packs.add(fails_with=LinkProblem.BUSY)
    await attempts(packs, 6, LinkProblem.BUSY)
    await attempts(packs, 3, LinkProblem.OUT_OF_RANGE)
    await attempts(packs, 6, LinkProblem.BUSY)
    assert not raised(hass)


async def test_held_pack_that_is_removed(hass: HomeAssistant, packs: Packs) -> None:
    pack = await packs.add(fails_with=LinkProblem.BUSY)
    await attempts(packs, 15, LinkProblem.BUSY)
    assert raised(hass) == {Issue.BUSY}
    await hass.config_entries.async_remove(pack.entry.entry_id)
    assert not raised(hass)


@pytest.mark.parametrize(
    ("state", "problem"),
    [(LinkState.PAUSED, None), (LinkState.CONNECTED, None), (LinkState.DISCONNECTED, LinkProblem.OUT_OF_RANGE)],
)
async def test_only_an_unbroken_time_counts_as_long(
    hass: HomeAssistant, packs: Packs, pack: Pack, state: LinkState, problem: LinkProblem | None
) -> None:
    for _ in range(2):
        pack.link.report(state=LinkState.DISCONNECTED, problem=LinkProblem.BUSY)
        for _ in range(9):
            await packs.advance(MINUTE_S)
        pack.link.report(state=state, problem=problem)
        await packs.advance(MINUTE_S)
    assert not raised(hass)


@pytest.mark.parametrize("kind", ["bad_sum", "implausible"])
async def test_mostly_bad_frames(hass: HomeAssistant, packs: Packs, pack: Pack, kind: str) -> None:
    async def five_minutes(good: int, rejected: int) -> None:
        for _ in range(5):
            counted = good + rejected if kind == "implausible" else good
            receive(pack, counted, **{kind: rejected})
            await packs.advance(MINUTE_S)

    await five_minutes(good=60, rejected=60)
    assert not raised(hass), "half of them is not most of them"
    await five_minutes(good=59, rejected=61)
    assert raised(hass) == {Issue.BAD_FRAMES}
    await five_minutes(good=80, rejected=40)
    assert raised(hass) == {Issue.BAD_FRAMES}, "a third is neither good nor bad"
    await five_minutes(good=100, rejected=20)
    assert not raised(hass)


async def test_a_few_frames_say_nothing(hass: HomeAssistant, packs: Packs, pack: Pack) -> None:
    receive(pack, 0, bad_sum=99)
    for _ in range(10):
        await packs.advance(MINUTE_S)
    assert not raised(hass)
    receive(pack, 0, bad_sum=1)
    await packs.advance(MINUTE_S)
    assert raised(hass) == {Issue.BAD_FRAMES}


async def test_issues_name_their_pack_and_end_with_it(hass: HomeAssistant, packs: Packs, pack: Pack) -> None:
    other = await packs.add(*PACK_32S, address="C8:47:80:00:00:02", title="Garage")
    for each in (pack, other):
        receive(each, 0, bad_sum=200)
    for _ in range(5):
        await packs.advance(MINUTE_S)
    issues = ir.async_get(hass).issues.values()
    assert sorted((issue.translation_placeholders or {})["name"] for issue in issues) == ["Garage", "Keller"]

    assert await hass.config_entries.async_unload(pack.entry.entry_id)
    (left,) = ir.async_get(hass).issues.values()
    assert left.translation_placeholders == {"name": "Garage"}
    await packs.advance(10 * MINUTE_S)
    assert len(ir.async_get(hass).issues) == 1, "nobody looks any more"
