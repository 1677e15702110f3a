"""Blocks over HTTP."""

from uuid import UUID

from fastapi import APIRouter

from app.accounts.auth import CurrentActor
from app.blocks import queries, service
from app.blocks.models import Block
from app.blocks.schemas import BlockCreate, BlockRead
from app.core.db import Db
from app.core.errors import NotFound, Unauthenticated, problems
from app.core.paging import Page, Paging, fetch

router = APIRouter(prefix="/v1/blocks", tags=["blocks"])
_seen = problems(Unauthenticated, NotFound)


@router.post("", status_code=201, response_model=BlockRead, responses=_seen)
async def block_person(body: BlockCreate, actor: CurrentActor, db: Db) -> Block:
    """Block a person: gone from search, requests, meetings and calls at once, both ways, untold."""
    return await service.block(db, actor, body)


@router.get("", response_model=Page[BlockRead], responses=problems(Unauthenticated))
async def list_blocks(actor: CurrentActor, db: Db, paging: Paging) -> Page[BlockRead]:
    """The people I blocked."""
    rows, cursor = await fetch(db, queries.own(actor), Block.id, paging)
    return Page(items=[BlockRead.model_validate(row) for row in rows], next_cursor=cursor)


@router.delete("/{block_id}", status_code=204, responses=_seen)
async def unblock_person(block_id: UUID, actor: CurrentActor, db: Db) -> None:
    """Take a block back."""
    await service.unblock(db, actor, block_id)
