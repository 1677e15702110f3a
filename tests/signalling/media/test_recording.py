"""Recorded calls, decoded: what libwebrtc sent is in the files, whole, in time, and nothing else."""

import asyncio
import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import webrtc
from pydantic import TypeAdapter
from typing_extensions import override

from signalling.media.direct import DirectEngine
from signalling.media.embedded.recording.depacketiser import Depacketiser
from signalling.media.embedded.recording.manifest import Folder
from signalling.media.port import MediaEngine, RecordedFile, Recording, RecordingRefused
from signalling.media.scripted import ScriptedEngine
from signalling.protocol.messages import Offer
from signalling.protocol.parts import PublishedTrack
from tests.independent.synthetic import CHUNK, Source
from tests.signalling.media.caller import until
from tests.signalling.media.impairment import relayed
from tests.signalling.media.members import Call, Member, call
from tests.signalling.media.recorded import Played, folder_of, play


async def started(meeting: Call) -> UUID:
    take_id = uuid4()
    await meeting.engine.record(meeting.id, take_id)
    return take_id


async def stopped(meeting: Call) -> Recording:
    recording = await meeting.engine.stop_recording(meeting.id)
    assert recording is not None
    return recording


def of(recording: Recording, member: Member) -> list[RecordedFile]:
    return [file for file in recording.files if file.participant_id == member.id]


def played(recordings: Path, recording: Recording, file: RecordedFile, width: int = 320) -> Played:
    """A file that is as its manifest says."""
    path = folder_of(recordings, recording) / file.name
    found = play(path, width)
    assert file.finished
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.bytes == path.stat().st_size
    assert found.duration == pytest.approx(file.duration_ms / 1000, abs=0.1)
    assert found.holes == []
    return found


async def test_everybody_is_recorded(tmp_path: Path) -> None:
    told: list[tuple[UUID, Recording]] = []
    options: dict[str, Any] = {"recordings": tmp_path / "r", "on_recorded": lambda *said: told.append(said)}
    async with call(**options) as meeting:
        people = [await meeting.join(tone) for tone in (440.0, 700.0)]
        for person in people:
            await person.send()
        await until(lambda: people[0].frames(people[1]) > 10, seconds=15)
        take_id = await started(meeting)
        await asyncio.sleep(6)
        recording = await stopped(meeting)
        assert told == [(meeting.id, recording)]
        assert await meeting.engine.stop_recording(meeting.id) is None
        frames = people[0].frames(people[1])
        await until(lambda: people[0].frames(people[1]) > frames + 5, seconds=5)
    assert (recording.take_id, recording.ended, recording.cut) == (take_id, "stopped", False)
    assert recording.duration_ms == pytest.approx(6000, abs=1000)
    for person in people:
        (file,) = of(recording, person)
        found = played(tmp_path / "r", recording, file)
        assert (file.sources, file.codecs) == (("camera", "microphone"), ("opus", "vp8"))
        assert file.offset_ms < 1000
        assert found.duration == pytest.approx(6, abs=1)
        assert len(found.shown) > 90
        assert found.strangers() == []
        assert found.tone.frequency() == pytest.approx(person.tone, abs=30)
    folder = folder_of(tmp_path / "r", recording)
    written = TypeAdapter(Recording).validate_json((folder / "manifest.json").read_bytes())
    assert written == recording
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent, tmp_path / "r")} == {0o700}


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_other_codecs(tmp_path: Path, codec: str) -> None:
    async with call(recordings=tmp_path) as meeting:
        one = await Choosing(meeting, codec).come()
        await one.send()
        await until(lambda: bool(one.publish and one.publish.connection_state == "connected"), seconds=10)
        await started(meeting)
        await asyncio.sleep(5)
        recording = await stopped(meeting)
    (file,) = recording.files
    assert file.codecs == ("opus", codec.lower())
    found = played(tmp_path, recording, file)
    assert len(found.shown) > 50
    # Libwebrtc's VP9 leaves out for a while what moves a little.
    assert found.strangers(slack=14) == []


class Choosing(Member):
    """Sends one codec."""

    def __init__(self, meeting: Call, codec: str) -> None:
        super().__init__(meeting)
        self._codec = codec
        meeting.meet(self)

    async def come(self) -> "Choosing":
        await self.enter()
        return self

    @override
    async def offer(self, generation: int = 1) -> None:
        assert self.publish is not None
        known = webrtc.RTCRtpSender.get_capabilities("video")
        assert known is not None
        wanted = [each for each in known.codecs if each.mime_type == f"video/{self._codec}"]
        self.publish.get_transceivers()[1].set_codec_preferences(wanted[:1])
        await super().offer(generation)


async def test_sound_and_picture_fit_together(tmp_path: Path) -> None:
    """Every second the picture turns bright as the tone begins."""
    async with call(recordings=tmp_path) as meeting:
        one = await meeting.join()
        one.source = Blinking(440.0, 320, 180)
        await one.send()
        await started(meeting)
        await asyncio.sleep(8)
        recording = await stopped(meeting)
    (file,) = recording.files
    found = played(tmp_path, recording, file)
    seen, heard = onsets(found.bright), onsets(found.loud)
    assert len(seen) >= 3
    late = [min(heard, key=lambda each: abs(each - at)) - at for at in seen if 1 < at < 7]
    assert late
    assert all(abs(each) < 0.12 for each in late), late


class Blinking(Source):
    """Bright and loud in every other second."""

    @override
    def _tone_chunk(self, number: int) -> webrtc.AudioData:
        if number // 100 % 2:
            return super()._tone_chunk(number)
        init = webrtc.AudioDataInit(
            format="s16",
            sample_rate=48_000,
            number_of_frames=CHUNK,
            number_of_channels=1,
            timestamp=number * 10_000,
            data=bytes(CHUNK * 2),
        )
        return webrtc.AudioData(init)

    @override
    def _picture(self, number: int) -> webrtc.VideoFrame:
        width, height = self._size
        init = webrtc.VideoFrameBufferInit(
            format="I420", coded_width=width, coded_height=height, timestamp=number * 1_000_000 // self._fps
        )
        light = b"\xd0" if number // self._fps % 2 else b"\x20"
        return webrtc.VideoFrame(light * width * height + b"\x80" * (width * height // 2), init)


def onsets(states: list[tuple[float, bool]]) -> list[float]:
    """When it begins, after at least half a second without."""
    found, quiet_since = [], None
    for at, on in states:
        if not on:
            quiet_since = at if quiet_since is None else quiet_since
            continue
        if quiet_since is not None and at - quiet_since > 0.5:
            found.append(at)
        quiet_since = None
    return found


@pytest.mark.long
async def test_who_comes_and_who_leaves(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting:
        one, other = await meeting.join(), await meeting.join()
        await one.send()
        await started(meeting)
        await asyncio.sleep(3)
        await other.send()
        await asyncio.sleep(3)
        await one.leave()
        await asyncio.sleep(2)
        recording = await stopped(meeting)
    (first,), (second,) = of(recording, one), of(recording, other)
    assert first.offset_ms < 1500
    assert played(tmp_path, recording, first).duration == pytest.approx(6, abs=1)
    assert second.offset_ms == pytest.approx(3000, abs=1000)
    found = played(tmp_path, recording, second)
    assert found.duration == pytest.approx(5, abs=1)
    assert found.strangers() == []


async def test_the_last_who_leaves_ends_it(tmp_path: Path) -> None:
    told: list[Recording] = []
    async with call(recordings=tmp_path, on_recorded=lambda _, said: told.append(said)) as meeting:
        one = await (await meeting.join()).send()
        await started(meeting)
        await asyncio.sleep(3)
        await one.leave()
        await until(lambda: bool(told), seconds=5)
    assert told[0].ended == "call_ended"
    assert played(tmp_path, told[0], told[0].files[0]).shown


@pytest.mark.long
async def test_the_best_layer_is_recorded_and_changes_leave_no_trace(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting:
        one = await meeting.join()
        await one.send(simulcast=(960, 540))
        await until(lambda: best(meeting, one) == 2, seconds=15)
        await started(meeting)
        await asyncio.sleep(3)
        await only(one, 1)
        await until(lambda: best(meeting, one) == 0, seconds=10)
        await asyncio.sleep(3)
        await only(one, 3)
        await until(lambda: best(meeting, one) == 2, seconds=15)
        await asyncio.sleep(3)
        recording = await stopped(meeting)
    (file,) = recording.files
    found = played(tmp_path, recording, file, width=960)
    assert {(960, 540), (240, 135)} <= set(found.sizes)
    assert found.sizes[-1] == (960, 540)
    assert found.strangers(960) == []


def best(meeting: Call, who: Member) -> int:
    """The largest layer that comes from them."""
    now = asyncio.get_running_loop().time()
    layers = meeting.engine._calls[meeting.id].participants[who.id].tracks[1].layers
    return max((place for place, layer in enumerate(layers) if layer.is_live(now)), default=-1)


async def only(who: Member, layers: int) -> None:
    """Send so many of the layers from now on, from the smallest."""
    assert who.publish is not None
    sender = who.publish.get_transceivers()[1].sender
    parameters = sender.get_parameters()
    for place, encoding in enumerate(parameters.encodings):
        encoding.active = place < layers
    await sender.set_parameters(parameters)


async def test_loss_leaves_no_picture_that_was_not_sent(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting, relayed(meeting.address, seed=7) as relay:
        meeting.announce(f"127.0.0.1:{relay.port}")
        await (await meeting.join(500.0)).send()
        # The publisher's clock is known the better the longer they are heard: that moves pictures in time.
        await asyncio.sleep(4)
        await started(meeting)
        await asyncio.sleep(1)
        relay.weather.loss, relay.weather.jitter = 0.05, 0.03
        await asyncio.sleep(9)
        assert relay.lost > 20
        recording = await stopped(meeting)
    (file,) = recording.files
    found = played(tmp_path, recording, file)
    assert found.duration == pytest.approx(10, abs=1)
    assert len(found.shown) > 150
    assert found.strangers() == []
    assert found.tone.frequency() == pytest.approx(500, abs=60)


async def test_without_care_loss_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nothing is sent again nor waited for, no keyframe is awaited, and the measure tells."""
    monkeypatch.setattr("signalling.media.embedded.layer.Layer.to_ask_for", lambda *_: [])
    monkeypatch.setattr("signalling.media.embedded.track.Track.want_keyframe", lambda *_: None)
    monkeypatch.setattr(Depacketiser, "_give_up", lambda self: self._parts.clear())
    async with call(recordings=tmp_path) as meeting, relayed(meeting.address, seed=7) as relay:
        meeting.announce(f"127.0.0.1:{relay.port}")
        await (await meeting.join()).send()
        await started(meeting)
        await asyncio.sleep(1)
        relay.weather.loss = 0.25
        await asyncio.sleep(6)
        recording = await stopped(meeting)
    assert play(folder_of(tmp_path, recording) / recording.files[0].name).strangers()


@pytest.mark.long
async def test_who_is_muted_keeps_their_time(tmp_path: Path) -> None:
    """Three seconds without a packet are three seconds of the file."""
    async with call(recordings=tmp_path) as meeting:
        one = await (await meeting.join()).send()
        await started(meeting)
        await asyncio.sleep(2)
        assert one.publish is not None
        senders = [each.sender for each in one.publish.get_transceivers()]
        for sender in senders:
            await sender.replace_track(None)
        await asyncio.sleep(3)
        for sender, track in zip(senders, (one.source.audio, one.source.video), strict=True):
            await sender.replace_track(track)
        await asyncio.sleep(3)
        recording = await stopped(meeting)
    (file,) = recording.files
    found = played(tmp_path, recording, file)
    assert found.duration == pytest.approx(8, abs=1)
    times = [at for at, _, _ in found.shown]
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(3, abs=0.7)
    loud = [at for at, on in found.loud if on]
    assert max(b - a for a, b in pairwise(loud)) == pytest.approx(3, abs=0.7)


async def test_a_screen_has_its_own_file_and_a_camera_may_come_later(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting:
        shares, speaks = Sharing(meeting), await meeting.join()
        meeting.meet(shares)
        await (await shares.enter()).send()
        speaks.publish = webrtc.RTCPeerConnection(webrtc.RTCConfiguration(ice_servers=[]))
        speaks.source.start()
        sendonly = webrtc.RTCRtpTransceiverInit(direction="sendonly")
        speaks.publish.add_transceiver(speaks.source.audio, sendonly)
        await speaks.offer()
        await started(meeting)
        await asyncio.sleep(4)
        speaks.publish.add_transceiver(speaks.source.video, sendonly)
        await speaks.offer()
        await asyncio.sleep(4)
        recording = await stopped(meeting)
    by_sources = {file.sources: file for file in recording.files}
    assert set(by_sources) == {("screen",), ("microphone",), ("camera", "microphone")}
    found = {sources: played(tmp_path, recording, file) for sources, file in by_sources.items()}
    assert found["screen",].strangers() == []
    assert found["microphone",].shown == []
    assert found["camera", "microphone"].strangers() == []
    before, after = by_sources["microphone",], by_sources["camera", "microphone"]
    assert after.offset_ms == pytest.approx(before.offset_ms + before.duration_ms, abs=100)


class Sharing(Member):
    """Shows a screen, and says nothing."""

    @override
    async def say_offer(self, sdp: str, generation: int = 1) -> None:
        tracks = (PublishedTrack(mid="1", source="screen"),)
        offer = Offer(pc="publish", generation=generation, sdp=sdp, tracks=tracks)
        await self.call.engine.signal(self.call.id, self.id, offer)


async def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    async with call(recordings=tmp_path) as meeting:
        await refused(meeting, "no_call")
        await meeting.join()
        take_id = await started(meeting)
        await refused(meeting, "recorded")
        recording = await stopped(meeting)
        assert (recording.files, recording.ended) == ((), "stopped")
        assert list(tmp_path.glob("*/*")) == [], "what nobody sent anything for is not kept"
        Folder.create(tmp_path, meeting.id, take_id).release()
        await refused(meeting, "recorded", take_id)
    async with call() as meeting:
        await meeting.join()
        await refused(meeting, "unsupported")
        assert await meeting.engine.stop_recording(meeting.id) is None


async def refused(meeting: Call, reason: str, take_id: UUID | None = None) -> None:
    with pytest.raises(RecordingRefused) as why:
        await meeting.engine.record(meeting.id, take_id or uuid4())
    assert why.value.reason == reason


@pytest.mark.parametrize("make", [DirectEngine, ScriptedEngine])
async def test_engines_that_carry_nothing_record_nothing(make: Callable[..., MediaEngine]) -> None:
    engine = make(lambda *_: None)
    with pytest.raises(RecordingRefused):
        await engine.record(uuid4(), uuid4())
    assert await engine.stop_recording(uuid4()) is None
