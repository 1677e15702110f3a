"""VP8 descriptors: read as aiortc reads them, and renumbered without a trace elsewhere."""

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded import vp8
from signalling.media.embedded.rtp import Malformed


@given(st.binary(min_size=1, max_size=12))
def test_a_descriptor_is_read_as_aiortc_reads_it(payload: bytes) -> None:
    try:
        theirs, frame = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        with pytest.raises(Malformed):
            vp8.read(payload)
        return
    begins = bool(theirs.partition_start) and theirs.partition_id & 7 == 0
    if begins and not frame:
        with pytest.raises(Malformed):
            vp8.read(payload)
        return
    ours = vp8.read(payload)
    assert payload[ours.length :] == frame
    assert (ours.picture_id, ours.tl0_picture_index) == (theirs.picture_id, theirs.tl0picidx)
    assert ours.temporal_layer == (theirs.tid[0] if theirs.tid else None)
    assert ours.begins_frame is begins
    assert ours.begins_keyframe is (begins and frame[0] & 1 == 0)


@given(st.binary(min_size=2, max_size=12), st.integers(0, 0x7FFF), st.integers(0, 255), st.binary(max_size=8))
def test_only_its_numbers_are_changed(payload: bytes, picture: int, tl0: int, before: bytes) -> None:
    try:
        ours = vp8.read(payload)
    except Malformed:
        return
    packet = bytearray(before + payload)
    vp8.patch(packet, len(before), ours, picture_id=picture, tl0_picture_index=tl0)
    now = vp8.read(bytes(packet[len(before) :]))
    if ours.picture_id is not None:
        assert now.picture_id == (picture if ours.long_picture_id else picture & 0x7F)
    if ours.tl0_picture_index is not None:
        assert now.tl0_picture_index == tl0
    back = bytearray(packet)
    vp8.patch(
        back,
        len(before),
        ours,
        picture_id=ours.picture_id or 0,
        tl0_picture_index=ours.tl0_picture_index or 0,
    )
    assert back == before + payload


def test_an_empty_payload_is_malformed() -> None:
    with pytest.raises(Malformed):
        vp8.read(b"")
