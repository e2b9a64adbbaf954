"""The tokens of a cache that nobody shares: which names were dropped since a moment."""

from __future__ import annotations

from gateway.backends.caching.entries import Kept
from gateway.backends.caching.tokens import OwnTokens


async def test_a_name_is_changed_by_its_own_drop_alone() -> None:
    tokens = OwnTokens()
    before = await tokens.before()

    await tokens.renew(["in_1"])

    assert {*await tokens.unchanged(["in_1", "in_2"], before)} == {"in_2"}
    assert {*await tokens.unchanged(["in_1", "in_2"], await tokens.before())} == {"in_1", "in_2"}


async def test_every_drop_is_another_moment() -> None:
    """Nobody joins a read that began before a drop which they began after."""
    tokens = OwnTokens()
    before = await tokens.before()

    await tokens.renew(["in_1"])

    assert (await tokens.before()).any_drop != before.any_drop


async def test_what_was_forgotten_may_have_been_dropped() -> None:
    """Only so many names are known; a read that began before the oldest of them stores nothing."""
    tokens = OwnTokens(names_max=2)
    old = await tokens.before()
    for name in ("in_1", "in_2", "in_3"):
        await tokens.renew([name])
    young = await tokens.before()

    assert {*await tokens.unchanged(["in_1", "in_9"], old)} == set()
    assert {*await tokens.unchanged(["in_1", "in_9"], young)} == {"in_1", "in_9"}


async def test_a_name_that_is_dropped_again_is_known_for_longer() -> None:
    tokens = OwnTokens(names_max=2)
    await tokens.renew(["in_1"])
    await tokens.renew(["in_2"])
    before = await tokens.before()

    await tokens.renew(["in_1"])
    await tokens.renew(["in_3"])

    assert {*await tokens.unchanged(["in_1", "in_2", "in_3"], before)} == {"in_2"}


async def test_a_drop_as_of_a_moment_leaves_alone_what_was_read_since() -> None:
    """What an event's read has shown to be touched as well: read before the event came it may be
    older, read since it is not."""
    tokens = OwnTokens()
    older = await tokens.before()
    await tokens.renew(["in_1"])
    since = await tokens.before()

    await tokens.renew(["cus_1"], since=since)

    assert {*await tokens.unchanged(["cus_1"], older)} == set()
    assert {*await tokens.unchanged(["cus_1"], since)} == {"cus_1"}


async def test_a_drop_as_of_a_moment_hides_no_drop_since() -> None:
    """Another event's, which the read may not know."""
    tokens = OwnTokens()
    since = await tokens.before()
    await tokens.renew(["cus_1"])

    await tokens.renew(["cus_1"], since=since)

    assert {*await tokens.unchanged(["cus_1"], since)} == set()


async def test_a_drop_as_of_a_moment_ends_what_was_made_of_older_values() -> None:
    """An answer that is kept looks at its names whenever there was a drop, also at this one."""
    tokens = OwnTokens()
    kept = Kept({"cus_1": 0}, None, 1e9)
    basis = tokens.basis([kept], lambda: 0.0)
    await tokens.renew(["in_1"])
    held = basis.holds()

    await tokens.renew(["cus_1"], since=await tokens.before())

    assert (held, basis.holds()) == (True, False)
