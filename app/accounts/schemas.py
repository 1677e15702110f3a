"""What travels about accounts and sign-ins."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, EmailStr, Field, StrictBool

from app.core.schemas import Body, Name, Password, Read, Secret, Zone


def _deliverable(value: str) -> str:
    """Mail servers that take other names (RFC 6531) are still rare; accepting one would mean silence."""
    if not value.rpartition("@")[0].isascii():
        raise ValueError("has letters before the @ that mail cannot be sent to yet")
    return value


Email = Annotated[
    EmailStr, AfterValidator(_deliverable), Field(max_length=254, examples=["priya@example.org"])
]


TypedPassword = Annotated[str, Field(min_length=1, max_length=128, examples=["a long sentence works well"])]


class SignUp(Body):
    """Open an account."""

    email: Email
    password: Annotated[Password, Field(examples=["a long sentence works well"])]
    name: Annotated[Name, Field(examples=["Priya Raman"])]
    zone: Zone = "UTC"
    invitation_token: Secret | None = Field(
        default=None, description="From an invitation mail; needed where registration is by invitation only."
    )


class Accepted(Read):
    """The same answer whether or not the address was known: nobody learns who has an account."""

    status: Literal["check_your_mail"] = "check_your_mail"


class VerifyEmail(Body):
    token: Secret
    password: TypedPassword = Field(description="The one chosen at the sign-up that the mail belongs to.")


class ResendVerification(Body):
    email: Email


class SignIn(Body):
    email: Email
    password: TypedPassword
    refresh: Literal["cookie", "body"] = Field(
        default="cookie",
        description="Where the refresh token goes: an HttpOnly cookie (browsers) or the answer (others).",
    )


class RefreshSession(Body):
    refresh_token: str | None = Field(
        default=None, max_length=200, description="Leave out in a browser: the cookie is used."
    )


class AccountRead(Read):
    id: UUID
    email: str
    name: str
    zone: str
    show_presence: bool = Field(description="Whether others see when I am here.")
    created_at: datetime


class SessionRead(Read):
    """A sign-in session. Keep the access token in memory only."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int = Field(description="Seconds.", examples=[600])
    refresh_token: str | None = None
    account: AccountRead


class AccountEdit(Body):
    name: Name | None = None
    zone: Zone | None = None
    show_presence: StrictBool | None = None
