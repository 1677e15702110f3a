"""Finding people over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.accounts.auth import CurrentActor
from app.core.db import Db
from app.core.errors import NotFound, Unauthenticated, problems
from app.core.paging import Page, Paging
from app.core.schemas import Line
from app.people import queries
from app.people.schemas import PersonRead

router = APIRouter(prefix="/v1/people", tags=["people"])


@router.get("", response_model=Page[PersonRead], responses=problems(Unauthenticated))
async def search_people(
    actor: CurrentActor,
    db: Db,
    paging: Paging,
    membership_id: Annotated[UUID | None, Query(description="See what this membership of mine sees.")] = None,
    q: Annotated[Line, Query(max_length=100, description="Words in a name, headline, bio or skill.")] = "",
    skill: Annotated[Line, Query(max_length=60)] = "",
    language: Annotated[str, Query(pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$")] = "",
    mentors_only: Annotated[bool, Query()] = False,
) -> Page[PersonRead]:
    """People visible to me: my organisations' own, and those of partners who opened themselves."""
    search = queries.Search(membership_id, q, skill, language, mentors_only)
    items, cursor = await queries.search_people(db, actor, search, paging)
    return Page(items=items, next_cursor=cursor)


@router.get("/{membership_id}", response_model=PersonRead, responses=problems(Unauthenticated, NotFound))
async def read_person(membership_id: UUID, actor: CurrentActor, db: Db) -> PersonRead:
    """Someone visible to me."""
    return await queries.person(db, actor, membership_id)
