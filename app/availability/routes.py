"""Hours, days off, absences and holidays over HTTP."""

from fastapi import APIRouter

router = APIRouter(prefix="/v1", tags=["availability"])
