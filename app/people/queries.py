"""Finding people: what the wall and the blocks leave visible, narrowed by what is searched for."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, any_, func, literal, or_
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor
from app.blocks import queries as blocks
from app.core.errors import NotFound
from app.core.paging import Window, fetch
from app.organisations import queries as organisations
from app.organisations.models import Membership
from app.pairings import queries as pairings
from app.people.schemas import PersonRead


@dataclass(frozen=True, slots=True)
class Search:
    """What someone looks for; empty fields do not narrow."""

    membership_id: UUID | None = None
    q: str = ""
    skill: str = ""
    language: str = ""
    mentors_only: bool = False


def _matching(actor: Actor, search: Search) -> Select[Membership]:
    found = blocks.people_visible_to(actor, through=search.membership_id)
    if search.q:
        pattern = "%" + search.q.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        offered = func.array_to_string(Membership.skills_offered, " ")
        columns = (Membership.name, Membership.headline, Membership.bio, offered)
        found = found.where(or_(*(column.ilike(pattern) for column in columns)))
    if search.skill:
        offered = func.lower(func.array_to_string(Membership.skills_offered, "\n"))
        found = found.where(literal(search.skill.lower()) == any_(func.string_to_array(offered, "\n")))
    if search.language:
        found = found.where(Membership.languages.contains([search.language.lower()]))
    if search.mentors_only:
        found = found.where(Membership.capacity > 0)
    return found


async def search_people(
    db: AsyncSession, actor: Actor, search: Search, window: Window
) -> tuple[list[PersonRead], str | None]:
    """One page of people visible to the actor."""
    rows, cursor = await fetch(db, _matching(actor, search), Membership.id, window)
    return await _present(db, actor, rows), cursor


async def person(db: AsyncSession, actor: Actor, membership_id: UUID) -> PersonRead:
    """Someone the actor can find, or has to do with."""
    try:
        found = await blocks.person(db, actor, membership_id)
    except NotFound:
        found = await pairings.counterpart(db, actor, membership_id)
    return (await _present(db, actor, [found]))[0]


async def _present(db: AsyncSession, actor: Actor, rows: list[Membership]) -> list[PersonRead]:
    own = {row.organisation_id for row in await organisations.all_own(db, actor)}
    taken = await pairings.mentees_by_mentor(db, [row.id for row in rows])
    return [
        PersonRead.model_validate(
            {
                **{name: getattr(row, name) for name in PersonRead.model_fields if hasattr(row, name)},
                "places_left": max(0, row.capacity - taken.get(row.id, 0)),
                "external": row.organisation_id not in own,
            }
        )
        for row in rows
    ]
