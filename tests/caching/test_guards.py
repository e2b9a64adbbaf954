"""The guards of a cache that nobody shares: which names were dropped since a moment."""

from __future__ import annotations

from gateway.backends.caching.guards import OwnGuards


async def test_a_name_is_changed_by_its_own_drop_alone() -> None:
    guards = OwnGuards()
    before = await guards.before()

    await guards.renew(["in_1"], None)

    assert await guards.unchanged(["in_1", "in_2"], before) == {"in_2"}
    assert await guards.unchanged(["in_1", "in_2"], await guards.before()) == {"in_1", "in_2"}


async def test_every_drop_is_another_moment() -> None:
    """Nobody joins a read that began before a drop which they began after."""
    guards = OwnGuards()
    before = await guards.before()

    await guards.renew(["in_1"], None)

    assert (await guards.before()).any_drop != before.any_drop


async def test_what_was_forgotten_may_have_been_dropped() -> None:
    """Only so many names are known; a read that began before the oldest of them stores nothing."""
    guards = OwnGuards(names_max=2)
    old = await guards.before()
    for name in ("in_1", "in_2", "in_3"):
        await guards.renew([name], None)
    young = await guards.before()

    assert await guards.unchanged(["in_1", "in_9"], old) == set()
    assert await guards.unchanged(["in_1", "in_9"], young) == {"in_1", "in_9"}


async def test_a_name_that_is_dropped_again_is_known_for_longer() -> None:
    guards = OwnGuards(names_max=2)
    await guards.renew(["in_1"], None)
    await guards.renew(["in_2"], None)
    before = await guards.before()

    await guards.renew(["in_1"], None)
    await guards.renew(["in_3"], None)

    assert await guards.unchanged(["in_1", "in_2", "in_3"], before) == {"in_2"}
