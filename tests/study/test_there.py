"""The overview names who is on the way, for the dashboard: those on pages as well as those who play."""

from tests.study.at_the_desk import Guest, opened, settings_of


async def test_who_is_on_the_way_is_named_and_who_is_done_or_gone_is_not(tmp_path):
    async with opened(tmp_path, settings_of()) as desk:
        reading, leaving, trying = (
            Guest(desk, userId="ada"),
            Guest(desk, userId="bob"),
            Guest(desk, userId="r", preview=""),
        )
        for guest in (reading, leaving, trying):
            await guest.arrive()
        await desk.withdraw(leaving.token, delete=False)
        there = (await desk.overview())["there"]
        assert [(one["user"], one["step"], one["preview"]) for one in there] == [
            ("ada", "consent", False),
            ("r", "consent", True),
        ]
        assert set(there[0]) == {"visit", "user", "step", "condition", "since_s", "preview"}
