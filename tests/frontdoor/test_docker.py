"""Container files: what can be judged of them without a container engine."""

import ipaddress
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.frontdoor.house import ROOT

COTURN = (ROOT / "docker" / "coturn.conf").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()

# The IANA special-purpose registries, and multicast. (Not the unspecified address: coturn refuses it anyway.)
SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::1/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
]


def denied(text: str) -> list[tuple[Any, Any]]:
    """First and last address of every refused range."""
    ranges = re.findall(r"^denied-peer-ip=(\S+)$", text, re.MULTILINE)
    ends = [(line.split("-")[0], line.split("-")[-1]) for line in ranges]
    return [(ipaddress.ip_address(first), ipaddress.ip_address(last)) for first, last in ends]


def reachable(text: str) -> list[str]:
    """Special-purpose ranges that the relay would reach into."""
    ranges = denied(text)
    networks = [ipaddress.ip_network(name) for name in SPECIAL]
    return [
        str(network)
        for network in networks
        if not any(
            first.version == network.version and first <= network[0] and network[-1] <= last
            for first, last in ranges
        )
    ]


def test_the_relay_reaches_into_no_special_network() -> None:
    assert reachable(COTURN) == []


def test_a_forgotten_range_is_noticed() -> None:
    assert reachable(COTURN.replace("denied-peer-ip=10.0.0.0-", "#")) == ["10.0.0.0/8"]
    assert "fc00::/7" in reachable(COTURN.replace("denied-peer-ip=fc00::-", "#"))


def test_the_relay_still_relays() -> None:
    """A line for the unspecified IPv6 address is read by coturn as every address."""
    assert ipaddress.ip_address("::") not in [first for first, _ in denied(COTURN)]
    public = [ipaddress.ip_address(a) for a in ("8.8.8.8", "93.184.216.34", "2a00:1450::1")]
    for address in public:
        assert not [r for r in denied(COTURN) if r[0].version == address.version and r[0] <= address <= r[1]]


def test_the_relay_has_no_console_no_multicast_and_limits() -> None:
    lines = COTURN.splitlines()
    for option in ("no-cli", "no-multicast-peers", "use-auth-secret", "no-tlsv1", "no-tlsv1_1"):
        assert option in lines
    for option in ("user-quota", "total-quota", "max-bps", "stale-nonce"):
        assert re.search(rf"^{option}=[1-9]\d*$", COTURN, re.MULTILINE), option
    assert "static-auth-secret=" not in "".join(line for line in lines if not line.startswith("#"))


def test_compose_runs_every_part() -> None:
    services = COMPOSE["services"]
    ours = {"migrate", "app", "worker", "signalling"}
    assert set(services) == ours | {"proxy", "postgres", "valkey", "coturn"}
    for name in ours:
        assert services[name]["command"] == [name]
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
        assert name == "migrate" or "healthcheck" in services[name]
    assert "DATABASE_URL" in services["app"]["environment"]
    assert "DATABASE_URL" not in services["signalling"]["environment"]
    assert services["signalling"]["volumes"] == ["signalling:/var/lib/mentorspan"], "no private keys"


def test_compose_publishes_the_proxy_and_the_media_port_alone() -> None:
    """The internal door above all stays between app and signalling."""
    published = {
        name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service
    }
    assert published == {"proxy": ["80:80", "443:443"], "signalling": ["8003:8003/udp"]}
    assert "8002" not in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0]


def test_app_believes_the_proxy_and_nobody_else() -> None:
    own = COMPOSE["services"]["proxy"]["networks"]["default"]["ipv4_address"]
    assert COMPOSE["services"]["app"]["environment"]["MENTORSPAN_TRUSTED_PROXIES"] == own


def test_every_variable_of_compose_has_a_default_or_an_example() -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text()
    example = (ROOT / "docker" / "example.env").read_text()
    given = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    wanted = set(re.findall(r"\$\{([A-Z_]+)[:}]", text))
    with_default = set(re.findall(r"\$\{([A-Z_]+):-", text))
    assert wanted - with_default <= given
    assert given <= wanted


def hadolint(dockerfile: str) -> str:
    """What hadolint finds wrong with a Dockerfile; `DL3008` would pin Debian's packages and is not asked."""
    ran = subprocess.run(
        ["hadolint", "--no-color", "-"], input=dockerfile, capture_output=True, text=True, check=False
    )
    return ran.stdout


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint has no wheel for this machine")
def test_hadolint_finds_nothing() -> None:
    assert hadolint(DOCKERFILE) == ""
    assert "DL3002" in hadolint(DOCKERFILE.replace("USER 10001", "USER root"))


def test_the_image_is_built_from_the_lock_and_not_run_by_root() -> None:
    assert "--require-hashes" in DOCKERFILE
    users = re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE)
    assert users == ["10001"]
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for name in source.split():
            assert (ROOT / name).exists(), name
