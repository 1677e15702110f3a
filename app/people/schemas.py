"""What travels about people one can find."""

from pydantic import Field

from app.organisations.schemas import PersonBrief


class PersonRead(PersonBrief):
    bio: str
    skills_offered: list[str]
    skills_wanted: list[str]
    languages: list[str]
    capacity: int
    places_left: int = Field(description="How many more mentees they can take.")
    external: bool = Field(description="From another organisation than any of mine.")
