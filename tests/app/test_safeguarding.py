"""Reports: they reach the coordinators who must act, and never the person they are about."""

from typing import Any

import pytest

from app.organisations.models import Role
from tests.world import ALL_ROLES, Person, World, meeting

pytestmark = pytest.mark.database

TEXT = "He asked for my home address,\ntwice."


async def people(world: World) -> dict[str, Person]:
    """A mentee and a mentor of two partner organisations, and who coordinates them."""
    north, river = await world.organisation("Northside"), await world.organisation("Riverbank")
    await world.partners(north, river)
    return {
        "mentor": await world.member(north, "Mentor", capacity=2),
        "mentee": await world.member(river, "Mentee"),
        "northern": await world.member(north, "Northern", roles=(Role.COORDINATOR,)),
        "riverine": await world.member(river, "Riverine", roles=(Role.ADMINISTRATOR,)),
        "member": await world.member(river, "Member"),
        "stranger": await world.member(await world.organisation("Far"), "Stranger", roles=ALL_ROLES),
    }


async def reports(person: Person) -> list[dict[str, Any]]:
    path = f"/v1/organisations/{person.organisation_id}/reports"
    return list((await person.ok("GET", path))["items"])


async def test_a_report_on_a_person_reaches_both_organisations(world: World) -> None:
    them = await people(world)
    body = {"membership_id": str(them["mentor"].membership_id), "text": TEXT}
    filed = await them["mentee"].ok("POST", "/v1/reports", body)
    assert set(filed) == {"id", "text", "created_at", "resolved_at"}
    for coordinator in (them["northern"], them["riverine"]):
        (seen,) = await reports(coordinator)
        assert (seen["text"], seen["reporter"]["name"], seen["subject"]["name"]) == (TEXT, "Mentee", "Mentor")
        assert seen["organisation_id"] == str(coordinator.organisation_id)
        (mail,) = await world.mails(coordinator.email)
        assert mail["subject"] == "A report needs your attention"
        assert "address" not in mail["text"], "what was written stays out of mail"
    assert await world.mails(them["mentor"].email) == []
    assert (await them["mentee"].ok("GET", "/v1/reports"))["items"] == [filed]
    assert (await them["mentor"].ok("GET", "/v1/reports"))["items"] == []


async def test_reports_are_for_coordinators_of_that_organisation(world: World) -> None:
    them = await people(world)
    body = {"membership_id": str(them["mentor"].membership_id), "text": TEXT}
    await them["mentee"].ok("POST", "/v1/reports", body)
    (seen,) = await reports(them["riverine"])
    path = f"/v1/organisations/{them['riverine'].organisation_id}/reports"
    resolve = f"/v1/reports/{seen['id']}/resolve"
    expected = {"member": (403, 404), "mentee": (403, 404), "northern": (404, 404), "stranger": (404, 404)}
    for name, (reading, resolving) in expected.items():
        assert (await them[name].get(path)).status_code == reading, name
        assert (await them[name].post(resolve, {"note": "Nothing."})).status_code == resolving, name
    done = await them["riverine"].ok("POST", resolve, {"note": "Spoke with both."})
    assert done["resolution"] == "Spoke with both."
    again = await them["riverine"].post(resolve, {"note": "Again."})
    assert (again.status_code, again.json()["code"]) == (409, "report_resolved")
    (receipt,) = (await them["mentee"].ok("GET", "/v1/reports"))["items"]
    assert receipt["resolved_at"] is not None
    assert "resolution" not in receipt
    (other,) = await reports(them["northern"])
    assert other["resolved_at"] is None, "each organisation answers for itself"


async def test_a_coordinator_does_not_read_reports_about_themselves(world: World) -> None:
    them = await people(world)
    second = Person(**{name: getattr(them["riverine"], name) for name in Person.__slots__})
    await world.member(await world.organisation("Second"), person=second, roles=ALL_ROLES)
    deputy = await world.member(await world.organisation("Deputy's"), "Deputy", roles=ALL_ROLES)
    await world.run(
        "UPDATE membership SET organisation_id = :place WHERE id = :id",
        place=them["riverine"].organisation_id, id=deputy.membership_id,
    )  # fmt: skip
    deputy.organisation_id = them["riverine"].organisation_id
    body = {"membership_id": str(them["riverine"].membership_id), "text": TEXT}
    await them["member"].ok("POST", "/v1/reports", body)
    assert await reports(them["riverine"]) == []
    assert len(await reports(deputy)) == 1
    assert await world.mails(them["riverine"].email) == []
    assert len(await world.mails(deputy.email)) == 1


async def test_a_meeting_can_be_reported_by_whoever_was_in_it(world: World) -> None:
    them = await people(world)
    pairing = await world.pair(them["mentee"], them["mentor"])
    booked = await world.meet(them["mentee"], them["mentor"], pairing["id"])
    body = {"meeting_id": booked["id"], "text": TEXT}
    await them["mentor"].ok("POST", "/v1/reports", body)
    (seen,) = await reports(them["northern"])
    assert (seen["meeting_id"], seen["subject"]) == (booked["id"], None)
    refused = await them["member"].post("/v1/reports", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_meeting")


async def test_a_report_is_about_something_and_someone_visible(world: World) -> None:
    them = await people(world)
    assert (await them["mentee"].post("/v1/reports", {"text": TEXT})).status_code == 422
    for who in (them["stranger"], them["mentee"]):
        answer = await them["mentee"].post(
            "/v1/reports", {"membership_id": str(who.membership_id), "text": TEXT}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_person")
    alone = await world.person("Alone")
    assert (
        await alone.post("/v1/reports", {"membership_id": str(them["mentor"].membership_id), "text": TEXT})
    ).status_code == 422


async def test_a_report_that_only_its_subject_could_read_is_refused_in_words(world: World) -> None:
    place = await world.organisation()
    boss = await world.member(place, "The Boss", roles=ALL_ROLES)
    member = await world.member(place, "Member")
    body = {"membership_id": str(boss.membership_id), "text": "He frightens people."}
    refused = await member.post("/v1/reports", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "nobody_to_report_to")
    await world.member(place, "Second", roles=ALL_ROLES)
    assert (await member.post("/v1/reports", body)).status_code == 201


async def test_a_report_about_a_meeting_is_not_for_who_was_in_its_circle_and_left(world: World) -> None:
    place = await world.organisation()
    coordinator = await world.member(place, "Coordinator", roles=ALL_ROLES)
    member, lead = await world.member(place, "Member"), await world.member(place, "Lead")
    concerned = await world.member(place, "Concerned", roles=ALL_ROLES)
    circle = await world.circle(coordinator, [lead], [member, concerned])
    met = await lead.ok("POST", f"/v1/pairings/{circle['id']}/meetings", meeting())
    await concerned.ok("POST", f"/v1/pairings/{circle['id']}/leave")
    mails = await world.mails(concerned.email)
    await member.ok("POST", "/v1/reports", {"meeting_id": met["id"], "text": TEXT})
    assert await world.mails(concerned.email) == mails
    assert (len(await reports(coordinator)), len(await reports(concerned))) == (1, 0)
