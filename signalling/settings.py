"""What an operator may set for signalling, read from the environment."""

import re
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def split_address(text: str) -> tuple[str, int | None]:
    """An IP address, with a port or without: `192.0.2.1:40000`, `2001:db8::1`, `[2001:db8::1]:40000`.

    Raises `ValueError`.
    """
    host, number = text, ""
    if text.startswith("[") or text.count(":") == 1:
        host, _, number = text.rpartition(":")
    port = int(number) if number else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{port} is no port")
    return str(ip_address(host.strip("[]"))), port


class Settings(BaseSettings):
    """Every name is read as `MENTORSPAN_<NAME>`, the bus's address also as `VALKEY_URL`."""

    model_config = SettingsConfigDict(env_prefix="MENTORSPAN_", extra="ignore", populate_by_name=True)

    valkey_url: str | None = Field(
        default=None, validation_alias=AliasChoices("VALKEY_URL", "MENTORSPAN_VALKEY_URL")
    )
    mode: Literal["production", "development"] = "production"
    state_dir: Path = Path(".mentorspan")
    app_port: int = Field(default=8000, ge=1, le=65535)
    internal_port: int = Field(default=0, ge=0, le=65535)
    internal_urls: Annotated[tuple[str, ...], NoDecode] = ()
    public_url: str = ""
    signalling_host: str = "127.0.0.1"
    signalling_port: int = Field(default=8001, ge=0, le=65535)
    signalling_public_url: str = ""
    media_host: str = "127.0.0.1"
    media_port: int | None = Field(default=None, ge=0, le=65535)
    media_addresses: Annotated[tuple[str, ...], NoDecode] = ()
    recordings: Path | None = None
    node: str = Field(default="", max_length=100)
    jwks: str = ""
    issuer: str = ""
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    resume_grace_seconds: float = Field(default=15.0, ge=0, le=300)
    heartbeat_seconds: float = Field(default=5.0, gt=0, le=60)
    events_heartbeat_seconds: float = Field(default=25.0, gt=0, le=60)
    lease_seconds: float = Field(default=15.0, gt=0)
    max_sockets: int = Field(default=10_000, ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("allowed_origins", "internal_urls", "media_addresses", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("recordings", mode="before")
    @classmethod
    def _nowhere(cls, value: object) -> object:
        return value or None

    @field_validator("media_addresses")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            split_address(address)
        return addresses

    @model_validator(mode="after")
    def _derive(self) -> Self:
        if not self.media_addresses and ip_address(self.media_host).is_unspecified:
            raise ValueError("set MENTORSPAN_MEDIA_ADDRESSES: browsers cannot send to MENTORSPAN_MEDIA_HOST")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("set both MENTORSPAN_TLS_CERT and MENTORSPAN_TLS_KEY, or neither")
        secure = "s" if self.tls_cert else ""
        self.public_url = (self.public_url or f"http{secure}://localhost:{self.app_port}").rstrip("/")
        self.signalling_public_url = (
            self.signalling_public_url or f"ws{secure}://localhost:{self.signalling_port}"
        ).rstrip("/")
        # The name becomes part of stream names on the bus.
        self.node = re.sub(
            r"[^A-Za-z0-9_.-]", "-", self.node or f"{socket.gethostname()}-{self.signalling_port}"
        )
        self.issuer = self.issuer or self.public_url
        if self.media_port is None:
            # Whoever lets the system choose one port wants no fixed one beside it.
            self.media_port = self.signalling_port + 2 if self.signalling_port else 0
        self.internal_port = self.internal_port or self.app_port + 2
        self.internal_urls = self.internal_urls or (f"http://127.0.0.1:{self.internal_port}",)
        self.jwks = self.jwks or str(self.state_dir / "jwks.json")
        return self

    @property
    def origins(self) -> frozenset[str]:
        """The browser origins whose pages may open a socket."""
        own = {self.public_url, *(origin.rstrip("/") for origin in self.allowed_origins)}
        if self.mode == "development":
            own |= {url.replace("//localhost", "//127.0.0.1") for url in own}
        return frozenset(own)
