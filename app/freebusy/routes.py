"""Calendars that are read in over HTTP."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["freebusy"])
