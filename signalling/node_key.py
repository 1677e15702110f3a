"""This node's own key: made on its first start, kept in its state directory, known to app by `NodeAlive`."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def load_node_key(state_dir: Path, node: str) -> Ed25519PrivateKey:
    """Read the key of `node`, or make it. Raises `ValueError` when the file holds something else."""
    directory = state_dir / "nodes"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{node}.pem"
    if not path.exists():
        _write_once(path, _new_pem())
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return key


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_once(path: Path, content: bytes) -> None:
    """Create `path` with all of `content` unless it is there: a hard link appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.link(draft, path)
    except FileExistsError:
        pass  # another start of the same node was faster
    finally:
        draft.unlink()
