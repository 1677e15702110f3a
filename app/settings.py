"""What an operator may set, read from the environment once per process."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_List = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Every name is read as `MENTORSPAN_<NAME>`, the two engine addresses also without the prefix."""

    model_config = SettingsConfigDict(env_prefix="MENTORSPAN_", extra="ignore", populate_by_name=True)

    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DATABASE_URL", "MENTORSPAN_DATABASE_URL")
    )
    valkey_url: str | None = Field(
        default=None, validation_alias=AliasChoices("VALKEY_URL", "MENTORSPAN_VALKEY_URL")
    )
    mode: Literal["production", "development"] = "production"
    state_dir: Path = Path(".mentorspan")
    app_host: str = "127.0.0.1"
    app_port: int = Field(default=8000, ge=1, le=65535)
    public_url: str = ""
    internal_host: str = "127.0.0.1"
    internal_port: int = Field(default=0, ge=0, le=65535)
    signalling_host: str = "127.0.0.1"
    signalling_port: int = Field(default=8001, ge=1, le=65535)
    signalling_public_url: str = ""
    media_host: str = "127.0.0.1"
    media_port: int | None = Field(default=None, ge=0, le=65535)
    """The UDP port of signalling; None: the second after its other one; 0: the system chooses."""
    issuer: str = ""
    jwks: str = ""
    allowed_origins: _List = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: _List = ()
    open_registration: bool | None = None
    smtp_url: str = ""
    mail_from: str = "Mentorspan <no-reply@localhost>"
    calendar_address: str = ""
    """Whose mail reaches `mentorspan mail ingest` or the inbound door; empty: answers are not asked for."""
    inbound_mail_secret: str = ""
    """What the operator's mail server shows at the inbound door; empty: there is no such door."""
    stun_urls: _List = ()
    turn_urls: _List = ()
    turn_secret: str = ""
    calls_across_organisations: Literal["forwarded", "relayed"] = "forwarded"
    """How two people of different organisations meet: at our server, or end to end through a TURN server."""
    recordings: Path | None = None
    """Where signalling nodes put what they record of calls; None: no recordings are kept."""
    recording_days: int = Field(default=90, ge=1)
    calendar_hosts_allowed: _List = ()
    """Hosts in private networks from which people's calendars may be read; all others there are refused."""
    quiet_weeks: int = Field(default=3, ge=1, le=52)
    """After so long without a meeting the people of a mentorship are nudged."""
    messages_per_minute: int = Field(default=300, ge=1)
    lease_lapse_seconds: float = Field(default=45, gt=0)
    database_pool: int = Field(default=10, ge=1, le=200)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator(
        "allowed_origins",
        "trusted_proxies",
        "stun_urls",
        "turn_urls",
        "calendar_hosts_allowed",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("recordings", mode="before")
    @classmethod
    def _nowhere(cls, value: object) -> object:
        return value or None

    @field_validator("calendar_address")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9._-]{1,32}@[A-Za-z0-9.-]{1,190}", value):
            raise ValueError("must be like calendar@mail.example.org")
        return value

    @field_validator("inbound_mail_secret")
    @classmethod
    def _long_secret(cls, value: str) -> str:
        if value and len(value) < 20:
            raise ValueError("must have 20 characters or more, such as `openssl rand -hex 32` makes")
        return value

    @field_validator("valkey_url")
    @classmethod
    def _spell(cls, value: str | None) -> str | None:
        """The client library knows Valkey by its older name."""
        return value and value.replace("valkeys://", "rediss://").replace("valkey://", "redis://")

    @model_validator(mode="after")
    def _derive(self) -> "Settings":
        scheme = "https" if self.tls_cert else "http"
        self.public_url = (self.public_url or f"{scheme}://localhost:{self.app_port}").rstrip("/")
        socket = "wss" if self.tls_cert else "ws"
        self.signalling_public_url = (
            self.signalling_public_url or f"{socket}://localhost:{self.signalling_port}"
        ).rstrip("/")
        self.internal_port = self.internal_port or self.app_port + 2
        self.issuer = self.issuer or self.public_url
        self.jwks = self.jwks or str(self.state_dir / "jwks.json")
        if self.open_registration is None:
            self.open_registration = self.development
        return self

    @property
    def development(self) -> bool:
        """Demo data and the mailbox page exist only here."""
        return self.mode == "development"

    @property
    def has_relay(self) -> bool:
        """Whether there is a TURN server to give out credentials for."""
        return bool(self.turn_urls and self.turn_secret)

    @property
    def secure(self) -> bool:
        """Browsers reach us by HTTPS, so cookies may demand it."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def keys_dir(self) -> Path:
        """Private keys; readable by app and worker only."""
        return self.state_dir / "keys"

    @property
    def origins(self) -> frozenset[str]:
        """Browser origins whose requests may use the refresh cookie."""
        own = {self.public_url, *self.allowed_origins}
        if self.development:
            own |= {url.replace("//localhost", "//127.0.0.1") for url in own}
        return frozenset(own)


@lru_cache
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
