"""The engine between independent stacks: libwebrtc sends, libwebrtc decodes, nothing in between does."""

from tests.signalling.media.caller import until
from tests.signalling.media.members import call


async def test_everybody_sees_and_hears_everybody() -> None:
    async with call() as meeting:
        tones = (400.0, 700.0, 1100.0)
        people = [await meeting.join(tone) for tone in tones]
        for person in people:
            await person.send()
        pairs = [(a, b) for a in people for b in people if a is not b]
        await until(lambda: all(a.frames(b) > 20 for a, b in pairs), seconds=15)
        for a, b in pairs:
            a.meters[b.id, "microphone"].forget_sound()
        await until(lambda: all(abs(a.pitch(b) - b.source._tone) < 30 for a, b in pairs), seconds=10)
