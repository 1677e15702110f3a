"""Going to addresses of others: only to the public net, only where they said, and never for long."""

import base64
import gzip
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from app.freebusy.addresses import BadAddress, is_public, understood
from app.freebusy.fetching import MOST_BYTES, Answer, Credentials, Fetcher
from app.freebusy.troubles import DAY, FIRST_WAIT, STUBBORN, WORDS, Trouble, until_next
from tests.app.elsewhere import Elsewhere, answer, bomb, elsewhere, identity, onward

ICS = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
HERE = ("127.0.0.1", "calendar.test", "other.test")
SECRET = Credentials("priya", "open sesame")


async def at_home(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    del host, port
    return ["127.0.0.1"]


@pytest.fixture
async def server() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as made:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as made:
        yield made


async def get(url: str, fetcher: Fetcher | None = None, credentials: Credentials | None = None) -> Answer:
    fetcher = fetcher or Fetcher(HERE, resolve=at_home)
    return await fetcher.ask("GET", httpx2.URL(url), credentials=credentials)


async def trouble(
    url: str, fetcher: Fetcher | None = None, credentials: Credentials | None = None
) -> Trouble:
    with pytest.raises(Trouble) as caught:
        await get(url, fetcher, credentials)
    assert "secret" not in str(caught.value), "an address is never in the words"
    return caught.value


# Where one may go


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.9.9.9", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
        "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1",
        "5f00::1",
        "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "nonsense", "",
    ],
)  # fmt: skip
def test_private_addresses_are_known_whatever_they_are_disguised_as(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.255.1",
     "198.20.0.1", "223.255.255.255", "2001:4860:4860::8888", "2a00:1450::1", "2606:4700::1"],
)  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.org/a.ics", "example.org/a.ics", "https://", "https:///a.ics",
        "http://127.0.0.1/a.ics", "http://[::1]/a.ics", "https://10.0.0.1/", "http://169.254.169.254/latest",
        "https://user:word@example.org/", "https://user@example.org/", "https://example.org:22/",
        "https://example.org:99999/", "https://exa mple.org/", "https://example.org/a\tb", "gopher://example.org",
        "https://[::ffff:10.0.0.1]/", "javascript:alert(1)", "//example.org/a.ics", "https://[::1/",
    ],
)  # fmt: skip
def test_an_address_that_leads_nowhere_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadAddress):
        understood(url, (), with_password=False)


def test_addresses_are_understood() -> None:
    def plain(url: str, *allowed: str, password: bool = False) -> str:
        return understood(url, allowed, with_password=password).url

    assert plain("webcal://example.org/a.ics#now") == "https://example.org/a.ics"
    assert plain(" HTTPS://Example.org:8443/a.ics?key=Ab ") == "https://Example.org:8443/a.ics?key=Ab"
    assert plain("http://example.org:8080/") == "http://example.org:8080/"
    assert plain("http://10.0.0.1:81/", "10.0.0.1") == "http://10.0.0.1:81/"
    assert plain("http://calendar.test/", "Calendar.Test", password=True) == "http://calendar.test/"
    with pytest.raises(BadAddress, match="https"):
        plain("http://example.org/", password=True)
    assert understood("https://Example.ORG/x", (), with_password=True).host == "example.org"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]"])
async def test_this_machine_is_not_visited_under_any_name(server: Elsewhere, host: str) -> None:
    server.replies["/secret.ics"] = answer(ICS)
    refused = await trouble(server.url("/secret.ics", host=host), Fetcher())
    assert refused.code in ("private_network", "unknown_host", "unreachable")
    assert refused.code == "private_network" or host in ("0x7f000001",)
    assert server.heard == []
    assert (await get(server.url("/secret.ics"))).body == ICS, "the control: allowed by the operator"


async def test_a_name_that_leads_here_is_refused_also_when_only_one_of_its_addresses_does(
    server: Elsewhere,
) -> None:
    for found in (
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["2606:4700::1", "::1"],
        ["169.254.169.254"],
    ):

        async def resolve(host: str, port: int, found: list[str] = found) -> Sequence[str]:
            del host, port
            return found

        refused = await trouble(server.url("/secret.ics", host="rebound.example"), Fetcher(resolve=resolve))
        assert refused.code == "private_network"
    assert server.heard == []


async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_found(server: Elsewhere) -> None:
    """A name that answers otherwise the second time (rebinding) is not asked a second time."""
    asked = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    server.replies["/a.ics"] = answer(ICS)
    fetcher = Fetcher(("calendar.test",), resolve=rebinding)
    assert (await get(server.url("/a.ics", host="calendar.test"), fetcher)).status == 200
    assert asked == [("calendar.test", server.port)]
    assert server.heard[0].headers["host"] == f"calendar.test:{server.port}"


async def test_the_next_address_is_tried_when_one_takes_no_connection(server: Elsewhere) -> None:
    async def two(host: str, port: int) -> Sequence[str]:
        del host, port
        return ["127.0.0.9", "127.0.0.1"]

    server.replies["/a.ics"] = answer(ICS)
    assert (await get(server.url("/a.ics"), Fetcher(HERE, resolve=two))).body == ICS

    async def none(host: str, port: int) -> Sequence[str]:
        del host, port
        return ["127.0.0.9"]

    assert (await trouble(server.url("/a.ics"), Fetcher(HERE, resolve=none))).code == "unreachable"


async def test_tls_proves_the_name_although_the_connection_goes_to_a_number(tmp_path: Path) -> None:
    shown, trust = identity(str(tmp_path), "calendar.test")
    async with elsewhere(tls=shown) as server:
        server.replies["/a.ics"] = answer(ICS)
        fetcher = Fetcher(HERE, resolve=at_home, trust=trust)
        assert (await get(server.url("/a.ics", host="calendar.test", scheme="https"), fetcher)).body == ICS
        for url, with_trust in (
            (server.url("/a.ics", host="other.test", scheme="https"), trust),
            (server.url("/a.ics", scheme="https"), trust),
            (server.url("/a.ics", host="calendar.test", scheme="https"), None),
        ):
            refused = await trouble(url, Fetcher(HERE, resolve=at_home, trust=with_trust))
            assert refused.code == "not_secure"
        assert len(server.heard) == 1


# Redirects


@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
async def test_redirects_are_followed(server: Elsewhere, other: Elsewhere, status: str) -> None:
    server.replies["/a"] = onward("b/c", status)
    server.replies["/b/c"] = onward(other.url("/d"), status)
    other.replies["/d"] = answer(ICS)
    found = await get(server.url("/a"), credentials=SECRET)
    assert (found.body, str(found.url)) == (ICS, other.url("/d"))
    told = [heard.headers.get("authorization") for heard in (*server.heard, *other.heard)]
    basic = "Basic " + base64.b64encode(b"priya:open sesame").decode()
    assert told == [basic, basic, None], "another origin is told no password"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("http://localhost:{port}/secret.ics", "private_network"),
        ("http://[::1]:{port}/secret.ics", "private_network"),
        ("http://169.254.169.254/latest/meta-data", "private_network"),
        ("http://calendar.test:25/secret", "private_network"),
        ("file:///etc/passwd", "bad_redirect"),
        ("gopher://calendar.test/", "bad_redirect"),
        ("http://user:secret@calendar.test/", "bad_redirect"),
        ("http://[::1", "bad_redirect"),
        ("/a", "too_many_redirects"),
    ],
)
async def test_redirects_to_where_nobody_may_go(server: Elsewhere, where: str, code: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        return ["::1"] if host == "::1" else ["127.0.0.1"]

    server.replies["/a"] = onward(where.format(port=server.port))
    server.replies["/secret.ics"] = answer(ICS)
    refused = await trouble(server.url("/a"), Fetcher(["127.0.0.1"], resolve=resolve))
    assert refused.code == code
    assert {heard.path for heard in server.heard} == {"/a"}
    assert len(server.heard) == (6 if code == "too_many_redirects" else 1)


async def test_nobody_is_sent_from_https_to_http(tmp_path: Path, other: Elsewhere) -> None:
    shown, trust = identity(str(tmp_path), "calendar.test")
    other.replies["/a.ics"] = answer(ICS)
    async with elsewhere(tls=shown) as server:
        server.replies["/a.ics"] = onward(other.url("/a.ics"))
        url = server.url("/a.ics", host="calendar.test", scheme="https")
        refused = await trouble(url, Fetcher(HERE, resolve=at_home, trust=trust))
    assert (refused.code, other.heard) == ("bad_redirect", [])


# What comes back


async def test_requests_carry_nothing_of_ours(server: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.replies["/a"] = answer(b"", status="302 Found", Location="/b", Set_Cookie="who=you")
    server.replies["/b"] = answer(ICS)
    assert (await get(server.url("/a"))).body == ICS
    assert [set(heard.headers) for heard in server.heard] == [
        {"host", "accept-encoding", "connection", "user-agent"}
    ] * 2


async def test_compressed_answers_are_unpacked(server: Elsewhere) -> None:
    server.replies["/a.ics"] = answer(gzip.compress(ICS * 1000), Content_Encoding="gzip")
    assert (await get(server.url("/a.ics"))).body == ICS * 1000
    server.replies["/b.ics"] = answer(ICS, Content_Encoding="br")
    server.replies["/c.ics"] = answer(b"not gzip", Content_Encoding="gzip")
    for path in ("/b.ics", "/c.ics"):
        assert (await trouble(server.url(path))).code == "unreadable"


async def test_too_much_is_cut_off_early(server: Elsewhere) -> None:
    server.replies["/endless"] = server.endless
    server.replies["/bomb"] = bomb(100)
    server.replies["/announced"] = b"HTTP/1.1 200 OK\r\nContent-Length: 209715200\r\n\r\n"
    server.replies["/most"] = answer(b"x" * MOST_BYTES)
    server.replies["/more"] = answer(b"x" * (MOST_BYTES + 1))
    for path in ("/endless", "/bomb", "/announced", "/more"):
        assert (await trouble(server.url(path))).code == "too_large", path
    assert len((await get(server.url("/most"))).body) == MOST_BYTES, "the control"
    assert server.sent < 50 * 1024 * 1024, "of 200"


async def test_a_slow_server_is_left(server: Elsewhere) -> None:
    server.replies["/slow"] = server.slow
    assert (
        await trouble(server.url("/slow"), Fetcher(HERE, resolve=at_home, seconds=0.5))
    ).code == "too_slow"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 X", "sign_in_wanted"), ("403 X", "not_allowed"), ("404 X", "not_found"), ("410 X", "gone"),
        ("418 X", "unexpected"), ("429 X", "too_often"), ("500 X", "server_fault"), ("503 X", "server_fault"),
    ],
)  # fmt: skip
async def test_refusals_are_put_in_words(server: Elsewhere, status: str, code: str) -> None:
    server.replies["/secret"] = answer(b"no", status=status, Retry_After="7200")
    refused = await trouble(server.url("/secret"))
    assert refused.code == code
    assert "127.0.0.1" in str(refused)
    if code == "too_often":
        assert until_next(refused, 1) == timedelta(hours=2)
    if code == "sign_in_wanted":
        assert (await trouble(server.url("/secret"), credentials=SECRET)).code == "sign_in_refused"


async def test_what_is_not_http_and_who_is_not_there(server: Elsewhere) -> None:
    server.replies["/secret"] = b"SSH-2.0-OpenSSH_9.6\r\n"
    assert (await trouble(server.url("/secret"))).code == "unreadable"

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError(f"no {host} {port}")

    assert (await trouble("https://nowhere.example/x", Fetcher(resolve=unknown))).code == "unknown_host"


def test_waiting_grows_up_to_a_day() -> None:
    waits = [until_next(Trouble("unreachable", host="x"), failures) for failures in range(1, 40)]
    assert waits[:3] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4]
    assert waits == sorted(waits)
    assert waits[-1] == DAY
    about = {"host": "x", "status": 1, "most": 5, "other": "y", "until": "z"}
    assert {until_next(Trouble(code, **about), 1) for code in STUBBORN} == {DAY}
    for code in WORDS:
        assert str(Trouble(code, **about)).endswith("."), code
