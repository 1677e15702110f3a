"""One participant of a forwarded call: their two connections, from the first offer to the end."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

import structlog
from aiortc import RTCCertificate

from signalling.media.embedded import negotiation
from signalling.media.embedded.codecs import Palette
from signalling.media.embedded.meter import Meter
from signalling.media.embedded.port import MediaPort
from signalling.media.embedded.publisher import Publisher
from signalling.media.embedded.sdp import Setup, Transport, Unacceptable
from signalling.media.embedded.secure import Fingerprint, HandshakeFailed, SecurePath
from signalling.media.embedded.subscriber import Subscriber
from signalling.media.embedded.track import Track
from signalling.protocol.codes import ErrorCode
from signalling.protocol.messages import Answer, AnswerFrom, Error, Offer, OfferFrom, Told
from signalling.protocol.parts import Figures, Source, Viewed
from signalling.settings import split_address

log = structlog.get_logger()


MOST_CLOSING: Final = 4
"""Connections of one participant that are still being closed."""


class Site:
    """What all participants of a node share: the port, the certificate, and where the port is reached."""

    def __init__(self, port: MediaPort, certificate: RTCCertificate, addresses: Iterable[str]) -> None:
        self.port = port
        self.certificate = certificate
        self.fingerprints = tuple(
            (each.algorithm, each.value)
            for each in certificate.getFingerprints()
            if each.algorithm == "sha-256"
        )
        self.announce(addresses)

    def announce(self, addresses: Iterable[str]) -> None:
        """Where clients reach the port, from here on: IP addresses, with a port where it is another."""
        self.candidates = tuple(
            f"{place} 1 udp {_PREFERENCE - place} {host} {number or self.port.address[1]} typ host"
            for place, (host, number) in enumerate(map(split_address, addresses), start=1)
        )


_PREFERENCE: Final = 2_130_706_432
"""Of a host candidate (RFC 8445, section 5.1.2.1)."""


class _Connection:
    """One peer connection with the client, as far as both have it."""

    def __init__(self, site: Site, path: SecurePath, generation: int, *, restarts: bool) -> None:
        """`restarts`: whether the client begins ICE again, by an offer with other credentials."""
        self.restarts = restarts
        self.site = site
        self.path = path
        self.generation = generation
        self.version = 0
        self.theirs: Transport | None = None
        self._starting: asyncio.Task[None] | None = None

    def transport(self, setup: Setup) -> Transport:
        """Ours, for the next description."""
        ours = self.path.ice.credentials
        self.version += 1
        return Transport(ours.ufrag, ours.password, self.site.fingerprints, setup, self.site.candidates)

    def met(self, theirs: Transport, ready: Callable[[], None], failed: Callable[[], None]) -> None:
        """The other side's description has come: let their checks in, and await their handshake."""
        if self.theirs is not None and self.theirs.fingerprints != theirs.fingerprints:
            raise Unacceptable("A new certificate needs a new generation.")
        if self.restarts and self.theirs is not None and self.theirs.ufrag != theirs.ufrag:
            self.path.restart()
        self.theirs = theirs
        self.path.ice.expect(theirs.ufrag)
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(theirs, ready, failed))

    async def _start(self, theirs: Transport, ready: Callable[[], None], failed: Callable[[], None]) -> None:
        try:
            await self.path.start([Fingerprint(*each) for each in theirs.fingerprints])
        except HandshakeFailed as failure:
            log.info("handshake_failed", why=str(failure))
            failed()
        except Exception:  # of a library: whoever shakes hands strangely ends their own connection only
            log.exception("handshake_failed")
            failed()
        else:
            ready()

    async def close(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self.path.stop()


class Participant:
    """Publishes and subscribes. `changed` is called when what they publish is not the same any more."""

    def __init__(
        self,
        participant_id: UUID,
        site: Site,
        palette: Palette,
        *,
        say: Callable[[Told], None],
        changed: Callable[[], None],
        may_publish: bool,
    ) -> None:
        self.id = participant_id
        self.may_publish = may_publish
        self.publisher: Publisher | None = None
        self.subscriber: Subscriber | None = None
        self._site = site
        self._palette = palette
        self.tell = say
        self._changed = changed
        self._cname = secrets.token_urlsafe(12)
        self._publish: _Connection | None = None
        self._subscribe: _Connection | None = None
        self._offered: dict[str, Track | None] | None = None
        """What the offer that waits for its answer carries, by mid."""
        self._last_offer: OfferFrom | None = None
        self._again = False
        """Another offer is needed once this one is answered."""
        self._restarting = False
        """The next offer has new ICE credentials."""
        self._wishes: tuple[Track, ...] = ()
        self._views: Sequence[Viewed] = ()
        self._muted: frozenset[Source] = frozenset()
        self.meter = Meter(time.monotonic())
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def tracks(self) -> list[Track]:
        """What others are to receive. A muted microphone or camera keeps its section; a screen does not."""
        return [track for track in self._sent if not track.muted or track.source in ("microphone", "camera")]

    @property
    def _sent(self) -> list[Track]:
        return [] if self.publisher is None else [each.track for each in self.publisher.ingresses.values()]

    def mute(self, sources: frozenset[Source]) -> None:
        """Nothing of these goes to anybody from now on; everything else does."""
        self._muted = sources
        self._apply_mute()
        self._changed()

    def _apply_mute(self) -> None:
        for track in self._sent:
            track.mute(track.source in self._muted)

    # What they send

    def offered(self, message: Offer) -> None:
        """Take an offer of `publish`, and answer it. Raises `Unacceptable`."""
        description = negotiation.read_offer(message.sdp)
        sources = negotiation.sources_of(description, message.tracks)
        theirs = negotiation.transport_of(description)
        if theirs is None:
            raise Unacceptable("The offer has no section that could be used.")
        connection, publisher = self._publish, self.publisher
        if connection is None or publisher is None or connection.generation != message.generation:
            if len(self._closing) >= MOST_CLOSING:
                raise Unacceptable("You begin new connections too fast: wait for the last one.")
            connection, publisher = self._open_publish(message.generation)
        try:
            ingresses = negotiation.ingresses_of(
                description,
                sources,
                publisher.ingresses,
                self._palette,
                participant_id=self.id,
                cname=self._cname,
            )
            connection.met(theirs, ready=lambda: None, failed=lambda: self._unpublish(publisher))
        except Unacceptable:
            if self._publish is not connection:
                self._close(connection)
            raise
        if self._publish is not connection:
            self._close(self._publish)
            self._publish, self.publisher = connection, publisher
        publisher.describe(ingresses)
        self._apply_mute()
        text = negotiation.answer(description, ingresses, connection.transport("passive"), connection.version)
        self.tell(AnswerFrom(pc="publish", generation=message.generation, sdp=text))
        self._changed()

    def _open_publish(self, generation: int) -> tuple[_Connection, Publisher]:
        publisher = Publisher(lambda packet: path.send_rtcp(packet))
        loop = asyncio.get_running_loop()
        path = SecurePath(
            self._site.port,
            self._site.certificate,
            on_rtp=lambda packet: publisher.take_rtp(packet, loop.time()),
            on_rtcp=lambda packet: publisher.take_rtcp(packet, loop.time()),
            on_close=lambda: self._unpublish(publisher),
        )
        return _Connection(self._site, path, generation, restarts=True), publisher

    def _unpublish(self, publisher: Publisher) -> None:
        """Their connection is over: nothing comes from there any more."""
        if publisher is self.publisher:
            publisher.describe({})
            self._changed()

    def _cut_off(self) -> None:
        """They send too much: their connection ends, and they are told why. They may begin another."""
        detail = "You send more than is allowed, so your sound and picture were stopped. Send less."
        self.tell(Error(code=ErrorCode.TOO_MUCH_MEDIA, detail=detail))
        self._close(self._publish)
        publisher, self._publish, self.publisher = self.publisher, None, None
        if publisher is not None:
            publisher.describe({})
        self._changed()

    # What they receive

    def wish(self, tracks: Iterable[Track]) -> None:
        """From here on these are for them."""
        self._wishes = tuple(tracks)
        if self._subscribe is None:
            if not self._wishes:
                return
            self._open_subscribe(1)
        assert self.subscriber is not None
        if self.subscriber.wish(self._wishes):
            self._offer()

    def _open_subscribe(self, generation: int) -> None:
        loop = asyncio.get_running_loop()
        path = SecurePath(
            self._site.port,
            self._site.certificate,
            on_rtp=lambda packet: None,
            on_rtcp=lambda packet: subscriber.take_rtcp(packet, loop.time(), time.time()),
            on_close=lambda: subscriber.close(),
        )
        subscriber = Subscriber(path.send_rtp, path.send_rtcp)
        subscriber.shares.look(self._views)
        self._subscribe = _Connection(self._site, path, generation, restarts=False)
        self.subscriber = subscriber
        self._offered = None

    def offer_again(self, *, anew: bool) -> None:
        """Offer with new ICE credentials, or begin the next generation."""
        if self._subscribe is None or self.subscriber is None or len(self._closing) >= MOST_CLOSING:
            return
        if anew:
            self.subscriber.close()
            self._close(self._subscribe)
            self._open_subscribe(self._subscribe.generation + 1)
            self.subscriber.wish(self._wishes)
        else:
            # After the answer to an offer that is under way, if there is one: two could not be told apart.
            self._restarting = True
        self._offer()

    def look(self, tracks: Sequence[Viewed]) -> None:
        """They see these pictures that large."""
        self._views = tracks
        if self.subscriber is not None:
            self.subscriber.shares.look(tracks)

    def tick(
        self, now: float, wall: float, behind: Callable[[UUID], float | None], dominant: UUID | None
    ) -> None:
        """Some time has passed: report, ask, share out. Monotonic seconds, and those since 1970."""
        if self.publisher is not None:
            self.publisher.tick(now)
            if self.publisher.is_excessive:
                self._cut_off()
        if self.subscriber is not None and self._subscribe is not None:
            self.subscriber.flow(self._subscribe.path.flows)
            self.subscriber.tick(now, wall, behind)
            for told in self.subscriber.shares.share(self.subscriber.downs, dominant, now):
                self.tell(told)

    def measure(self, now: float) -> tuple[bool, Figures | None]:
        """How the connections were since this was asked last; whether the shown score has changed by it."""
        subscriber = self.subscriber
        downs = subscriber.downs if subscriber is not None else []
        return self.meter.look(now, self._sent, downs, subscriber.shares if subscriber is not None else None)

    def repeat(self) -> None:
        """Their socket was lost and is back: an offer that waits for its answer is said again."""
        if self._offered is not None and self._last_offer is not None:
            self.tell(self._last_offer)

    def _offer(self) -> None:
        if self._offered is not None:
            self._again = True
            return
        assert self._subscribe is not None
        assert self.subscriber is not None
        self._again = False
        if self._restarting:
            self._restarting = False
            self._subscribe.path.restart()
        slots = self.subscriber.slots
        self._offered = {slot.mid: slot.track for slot in slots}
        transport = self._subscribe.transport("actpass")
        self._last_offer = OfferFrom(
            pc="subscribe",
            generation=self._subscribe.generation,
            sdp=negotiation.offer([slot.section for slot in slots], transport, self._subscribe.version),
            tracks=self.subscriber.tracks(),
        )
        self.tell(self._last_offer)

    def answered(self, message: Answer) -> None:
        """Take the answer to our offer. Raises `Unacceptable`."""
        connection, subscriber = self._subscribe, self.subscriber
        if self._offered is None or connection is None or subscriber is None:
            # To an offer that was said twice: the second answer says nothing new.
            return
        description = negotiation.read_answer(message.sdp)
        theirs = negotiation.transport_of(description)
        if theirs is not None:
            connection.met(theirs, ready=lambda: subscriber.flow(True), failed=subscriber.close)
        offered, self._offered = self._offered, None
        subscriber.answered(offered, description.sections)
        if self._again or subscriber.wish(self._wishes):
            self._offer()

    # The end

    def _close(self, connection: _Connection | None) -> None:
        if connection is not None:
            task = asyncio.create_task(connection.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Nothing comes from them or goes to them any more."""
        if self.subscriber is not None:
            self.subscriber.close()
        for connection in (self._publish, self._subscribe):
            self._close(connection)
        self._publish = self._subscribe = None
        await asyncio.gather(*self._closing, return_exceptions=True)
