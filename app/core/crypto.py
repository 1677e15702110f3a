"""Keys of this installation, and the small secrets that travel in mail."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signalling.contracts.tickets import SigningKey, public_jwks


class Unreadable(Exception):
    """What was sealed cannot be opened here: a key is gone, or it was sealed for another place."""


@dataclass(frozen=True, slots=True, eq=False)
class Sealing:
    """Keeps what must be read again, and by nobody else: AES-256-GCM, bound to the place where it is stored.

    The newest key seals, every key opens: the first two bytes say which one it was.
    """

    keys: Mapping[int, bytes]

    def seal(self, text: str, place: str) -> bytes:
        """`place` names table, column and row, so that nothing can be moved into another row."""
        version = max(self.keys)
        head, nonce = version.to_bytes(2, "big"), secrets.token_bytes(12)
        return head + nonce + AESGCM(self.keys[version]).encrypt(nonce, text.encode(), head + place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The text again. Raises `Unreadable`."""
        head, nonce, rest = sealed[:2], sealed[2:14], sealed[14:]
        key = self.keys.get(int.from_bytes(head, "big"))
        if key is None:
            raise Unreadable("the key that sealed this is not in keys/ any more")
        try:
            return AESGCM(key).decrypt(nonce, rest, head + place.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unreadable("this was changed, or sealed for another place") from None


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """The keys of an installation: that signs, that verify, that binds refresh tokens, and that seal."""

    signing: SigningKey
    public: Mapping[str, Ed25519PublicKey]
    refresh: bytes
    sealing: Sealing

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public half, as published."""
        return public_jwks(self.public)


def load_keys(directory: Path) -> KeyRing:
    """Read the keys, making them on the first start. Processes that start together agree on one set.

    The newest `signing-*.pem` signs; older ones go on verifying, so that a key is rotated by adding a file.
    It is the same with `sealing-*.key`, whose older ones go on opening what they sealed.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not list(directory.glob("signing-*.pem")):
        _write_once(directory / "signing-0001.pem", _new_signing_pem())
    if not list(directory.glob("sealing-*.key")):
        _write_once(directory / "sealing-0001.key", secrets.token_bytes(32))
    _write_once(directory / "refresh.key", secrets.token_bytes(32))
    rings = [_read_signing(path) for path in sorted(directory.glob("signing-*.pem"))]
    return KeyRing(
        signing=rings[-1],
        public={key.kid: key.private.public_key() for key in rings},
        refresh=(directory / "refresh.key").read_bytes(),
        sealing=Sealing(dict(_read_sealing(path) for path in directory.glob("sealing-*.key"))),
    )


def publish_jwks(keys: KeyRing, path: Path) -> None:
    """Write the public keys where signalling reads them; a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(keys.jwks()))
    draft.replace(path)


def _new_signing_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_once(path: Path, content: bytes) -> None:
    """Create `path` with all of `content` unless it exists: a hard link appears whole or not at all."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read_signing(path: Path) -> SigningKey:
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path.name} is not an Ed25519 key")
    raw = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    # RFC 7638 thumbprint of the public key, so that the name follows from the key.
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    thumb = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return SigningKey(kid=base64.urlsafe_b64encode(thumb).rstrip(b"=").decode(), private=private)


def _read_sealing(path: Path) -> tuple[int, bytes]:
    number, key = path.stem.removeprefix("sealing-"), path.read_bytes()
    if not number.isdigit() or not 0 < int(number) < 2**16 or len(key) != 32:
        raise ValueError(f"{path.name} is not a sealing key: 32 bytes in a file sealing-0001.key, -0002 ...")
    return int(number), key


def new_secret() -> str:
    """256 random bits for a link in a mail."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """How a secret is stored: it has full entropy, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)
