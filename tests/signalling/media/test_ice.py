"""The ICE-lite agent: who proves to know the password is answered, and nobody else."""

from dataclasses import dataclass, field

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded.ice import (
    CHECKS_AT_ONCE,
    CHECKS_PER_SECOND,
    CONSENT_SECONDS,
    MOST_ADDRESSES,
    Address,
    Credentials,
    IceLite,
    ufrag_asked_for,
)

HERE: Address = ("127.0.0.1", 5000)
THERE: Address = ("192.0.2.7", 6000)


@dataclass(slots=True)
class Peer:
    """The other side, which knows our credentials."""

    agent: IceLite
    credentials: Credentials = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = self.agent.credentials

    def check(
        self,
        *,
        nominate: bool = False,
        role: str = "ICE-CONTROLLING",
        theirs: str = "them",
        password: str | None = None,
    ) -> bytes:
        """A Binding request as a browser sends it."""
        attributes = {"USERNAME": f"{self.credentials.ufrag}:{theirs}", "PRIORITY": 1, role: 1}
        if nominate:
            attributes["USE-CANDIDATE"] = None
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        request.add_message_integrity((password or self.credentials.password).encode())
        return bytes(request)

    def proves(self, source: Address, now: float = 0.0, *, nominate: bool = False) -> bool:
        """Whether a check from there is answered with success."""
        answer = self.agent.check(self.check(nominate=nominate), source, now)
        return answer is not None and stun.parse_message(answer).message_class == stun.Class.RESPONSE


@pytest.fixture
def agent() -> IceLite:
    return IceLite()


@pytest.fixture
def peer(agent: IceLite) -> Peer:
    return Peer(agent)


def test_an_answer_says_where_the_check_came_from_and_is_signed(agent: IceLite, peer: Peer) -> None:
    for source in (HERE, ("2001:db8::1", 7000)):
        request = peer.check()
        answer = agent.check(request, source, 0.0)
        assert answer is not None
        read = stun.parse_message(answer)
        assert read.transaction_id == stun.parse_message(request).transaction_id
        assert read.attributes["XOR-MAPPED-ADDRESS"] == source
        assert read.check_message_integrity(agent.credentials.password.encode())
    assert agent.addresses == {HERE, ("2001:db8::1", 7000)}


def test_credentials_are_long_enough_and_never_the_same() -> None:
    made = {Credentials.fresh() for _ in range(100)}
    assert len({each.password for each in made}) == 100
    assert all(len(each.ufrag) >= 4 and len(each.password) >= 22 for each in made), "RFC 8839, section 5.4"
    assert not any(each.password in repr(each) for each in made)


def test_whoever_does_not_know_the_password_is_not_even_told_so(agent: IceLite, peer: Peer) -> None:
    assert agent.check(peer.check(password="guess" * 5), HERE, 0.0) is None
    unsigned = stun.Message(
        stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": f"{agent.credentials.ufrag}:them"}
    )
    assert agent.check(bytes(unsigned), HERE, 0.0) is None
    assert Peer(IceLite()).proves(HERE), "the control"
    assert agent.check(Peer(IceLite()).check(), HERE, 0.0) is None
    assert agent.selected is None
    assert agent.addresses == frozenset()


@given(st.data())
def test_a_check_with_any_byte_changed_is_not_answered(data: st.DataObject) -> None:
    agent = IceLite()
    good = Peer(agent).check(nominate=True)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    assert agent.check(bytes(bad), HERE, 0.0) is None
    assert agent.addresses == frozenset()
    assert agent.check(good, HERE, 0.0) is not None, "the control"


@given(st.binary(max_size=600), st.booleans())
def test_nonsense_is_not_answered(data: bytes, disguised: bool) -> None:
    if disguised:
        body = data[: len(data) // 4 * 4]
        data = b"\x00\x01" + len(body).to_bytes(2, "big") + stun.COOKIE.to_bytes(4, "big") + bytes(12) + body
    assert ufrag_asked_for(data) is None or isinstance(ufrag_asked_for(data), str)
    assert IceLite().check(data, HERE, 0.0) is None


def test_whom_a_check_is_for_is_seen_at_once(agent: IceLite, peer: Peer) -> None:
    assert ufrag_asked_for(peer.check()) == agent.credentials.ufrag
    assert ufrag_asked_for(peer.check()[:-1]) is None
    indication = stun.Message(stun.Method.BINDING, stun.Class.INDICATION)
    assert ufrag_asked_for(bytes(indication)) is None


def test_only_the_other_side_that_was_described_is_answered(agent: IceLite, peer: Peer) -> None:
    agent.expect("them")
    assert agent.check(peer.check(theirs="others"), HERE, 0.0) is None
    assert peer.proves(HERE)


def test_two_that_are_controlled_are_told_of_the_conflict(agent: IceLite, peer: Peer) -> None:
    answer = agent.check(peer.check(role="ICE-CONTROLLED"), HERE, 0.0)
    assert answer is not None
    assert stun.parse_message(answer).error_code == 487
    assert agent.selected is None


def test_media_go_where_the_other_side_nominates(agent: IceLite, peer: Peer) -> None:
    assert peer.proves(HERE)
    assert agent.selected == HERE, "what was heard will do until something is nominated"
    assert peer.proves(THERE, nominate=True)
    assert peer.proves(HERE)
    assert agent.selected == THERE
    assert peer.proves(HERE, nominate=True)
    assert agent.selected == HERE, "a client that changed its network nominates again"


def test_a_signed_check_sent_on_from_elsewhere_moves_nothing(agent: IceLite, peer: Peer) -> None:
    check = peer.check(nominate=True)
    assert agent.check(check, HERE, 0.0) is not None
    assert agent.check(check, THERE, 0.0) is None
    assert agent.selected == HERE
    assert agent.check(check, HERE, 0.0) is not None, "sent again because the answer was lost"


def test_nothing_is_sent_any_more_when_checks_have_ceased(agent: IceLite, peer: Peer) -> None:
    assert not agent.has_consent(0.0)
    assert peer.proves(HERE, 0.0, nominate=True)
    assert agent.has_consent(CONSENT_SECONDS - 0.1)
    assert not agent.has_consent(CONSENT_SECONDS)
    assert peer.proves(THERE, CONSENT_SECONDS)
    assert not agent.has_consent(CONSENT_SECONDS), "it was another address that was nominated"
    assert peer.proves(HERE, CONSENT_SECONDS)
    assert agent.has_consent(CONSENT_SECONDS)


def test_addresses_are_few_and_the_nominated_one_stays(agent: IceLite, peer: Peer) -> None:
    assert peer.proves(HERE, nominate=True)
    for port in range(1000):
        assert peer.proves(("192.0.2.7", 10_000 + port), port / CHECKS_PER_SECOND)
    assert len(agent.addresses) <= MOST_ADDRESSES + 1
    assert HERE in agent.addresses
    assert agent.selected == HERE


def test_a_restart_breaks_nothing_before_the_new_path_is_made(agent: IceLite, peer: Peer) -> None:
    assert peer.proves(HERE, nominate=True)
    agent.restart()
    again = Peer(agent)
    assert again.credentials != peer.credentials
    assert agent.ufrags == [peer.credentials.ufrag, again.credentials.ufrag]
    assert peer.proves(HERE, nominate=True)
    assert again.proves(THERE)
    assert agent.selected == HERE
    assert agent.addresses == {HERE, THERE}
    assert again.proves(THERE, nominate=True)
    assert agent.selected == THERE
    assert agent.addresses == {THERE}
    assert not peer.proves(HERE, nominate=True)
    assert agent.selected == THERE


def test_a_second_restart_forgets_the_first_if_nobody_used_it(agent: IceLite, peer: Peer) -> None:
    assert peer.proves(HERE, nominate=True)
    agent.restart()
    unused = Peer(agent)
    agent.restart()
    assert not unused.proves(THERE)
    assert peer.proves(HERE)
    assert agent.selected == HERE
    assert Peer(agent).proves(THERE, nominate=True)
    assert agent.selected == THERE


def test_checks_that_come_too_fast_are_not_answered(agent: IceLite, peer: Peer) -> None:
    """Neither a participant's nor those of strangers; and the one flood does not keep the others out."""
    assert peer.proves(HERE)
    flood = sum(peer.proves(HERE) for _ in range(2 * CHECKS_AT_ONCE))
    assert flood == CHECKS_AT_ONCE
    assert peer.proves(THERE), "who moves is let in, whatever comes from the old address"
    assert sum(peer.proves(HERE, 1.0) for _ in range(2 * CHECKS_AT_ONCE)) == CHECKS_PER_SECOND
