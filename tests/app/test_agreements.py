"""What a mentorship is for: the agreement text and the goals that both sides keep."""

import asyncio

import pytest

from tests.world import ALL_ROLES, World

pytestmark = pytest.mark.database


async def test_the_agreement_is_not_overwritten_unseen(world: World) -> None:
    mentee, mentor = await world.two()
    path = f"/v1/pairings/{(await world.pair(mentee, mentor))['id']}/agreement"
    first = await mentee.ok("PUT", path, {"text": "Every second week.\nNo homework.", "version": 0})
    assert first["agreement"]["version"] == 1
    assert first["agreement"]["updated_by"] == str(mentee.membership_id)
    stale = await mentor.call("PUT", path, {"text": "Mine", "version": 0})
    assert (stale.status_code, stale.json()["code"]) == (409, "agreement_changed")
    racing = await asyncio.gather(
        *(
            person.call("PUT", path, {"text": person.name, "version": 1})
            for person in (mentee, mentor, mentee, mentor)
        )
    )
    assert sorted(answer.status_code for answer in racing) == [200, 409, 409, 409]
    winner = next(answer.json() for answer in racing if answer.status_code == 200)
    assert (await mentee.ok("GET", path.removesuffix("/agreement")))["agreement"] == winner["agreement"]


async def test_agreement_and_goals_change_only_while_the_mentorship_is_active(world: World) -> None:
    mentee, mentor = await world.two()
    asked = await world.ask(mentee, mentor)
    path = f"/v1/pairings/{asked['id']}"

    async def statuses() -> set[int]:
        return {
            (await mentee.call("PUT", f"{path}/agreement", {"text": "x", "version": 0})).status_code,
            (await mentee.post(f"{path}/goals", {"text": "x"})).status_code,
        }

    assert await statuses() == {409}
    await mentor.ok("POST", f"{path}/accept")
    goal = await mentee.ok("POST", f"{path}/goals", {"text": "Write one court report"})
    assert await statuses() == {200, 201}
    await mentor.ok("POST", f"{path}/end")
    assert await statuses() == {409}
    for method, body in (("PATCH", {"done": True}), ("DELETE", None)):
        assert (await mentee.call(method, f"/v1/goals/{goal['id']}", body)).status_code == 409


async def test_both_sides_keep_the_goals(world: World) -> None:
    mentee, mentor = await world.two()
    path = f"/v1/pairings/{(await world.pair(mentee, mentor))['id']}"
    goal = await mentee.ok("POST", f"{path}/goals", {"text": "  Write one court report  "})
    assert (goal["text"], goal["done"]) == ("Write one court report", False)
    done = await mentor.ok("PATCH", f"/v1/goals/{goal['id']}", {"done": True})
    assert (done["text"], done["done"]) == (goal["text"], True)
    assert done["updated_at"] > goal["updated_at"]
    assert (await mentee.ok("GET", path))["goals"] == [done]
    stranger = await world.member(await world.organisation("Elsewhere"), "Stranger", roles=ALL_ROLES)
    assert (await stranger.call("DELETE", f"/v1/goals/{goal['id']}")).status_code == 404
    await mentor.ok("DELETE", f"/v1/goals/{goal['id']}")
    assert (await mentee.call("DELETE", f"/v1/goals/{goal['id']}")).status_code == 404
    assert (await mentee.ok("GET", path))["goals"] == []


async def test_fifty_goals_are_enough_also_when_they_race(world: World) -> None:
    mentee, mentor = await world.two()
    pairing = await world.pair(mentee, mentor)
    await world.run(
        "INSERT INTO goal (id, pairing_id, text, done, created_at, updated_at) "
        "SELECT gen_random_uuid(), :pairing, 'Goal', false, now(), now() FROM generate_series(1, 48)",
        pairing=pairing["id"],
    )
    path = f"/v1/pairings/{pairing['id']}/goals"
    answers = await asyncio.gather(*(mentee.post(path, {"text": f"Goal {n}"}) for n in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    assert len((await mentee.ok("GET", f"/v1/pairings/{pairing['id']}"))["goals"]) == 50
