"""Feeds and answers to invitations over HTTP."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["calendars"])
