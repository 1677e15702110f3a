"""Recurrence rules and series of meetings over HTTP."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["series"])
