"""The score: pure, so its promises are properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.media.embedded.quality import MARGIN, Steady, Way, picture, score, sound, together

parts = st.floats(0, 1)
seconds = st.floats(0, 3)
ways = st.builds(
    Way,
    sound_loss=st.none() | parts,
    picture_loss=st.none() | parts,
    served=parts,
    jitter=st.none() | seconds,
)


@given(ways, ways, st.none() | seconds)
def test_a_score_is_from_one_to_five(up: Way, down: Way, trip: float | None) -> None:
    found = together(up, down, trip)
    assert found is None or 1 <= found <= 5
    nothing = all(each.sound_loss is None and each.picture_loss is None for each in (up, down))
    assert (found is None) is nothing


@given(parts, parts, seconds, seconds)
def test_more_loss_is_not_better(one: float, other: float, jitter: float, trip: float) -> None:
    less, more = sorted((one, other))
    assert sound(less, jitter, trip) >= sound(more, jitter, trip)
    assert picture(less, 1) >= picture(more, 1)


@given(parts, seconds, seconds, seconds)
def test_more_jitter_or_delay_is_not_better(loss: float, one: float, other: float, fixed: float) -> None:
    less, more = sorted((one, other))
    assert sound(loss, less, fixed) >= sound(loss, more, fixed)
    assert sound(loss, fixed, less) >= sound(loss, fixed, more)


@given(parts, parts, parts)
def test_more_of_the_pictures_is_not_worse(loss: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert picture(loss, less) <= picture(loss, more)


@given(ways, ways, st.none() | seconds)
def test_the_worse_direction_counts(up: Way, down: Way, trip: float | None) -> None:
    known = [each for each in (score(up, trip), score(down, trip)) if each is not None]
    assert together(up, down, trip) == min(known, default=None)


def test_what_the_numbers_mean() -> None:
    """Fixed points: what people call perfect, fair, weak and hopeless."""
    perfect = Way(0, 0, 1.0, 0.0)
    assert (together(perfect, perfect, 0.02) or 0) > 4.9
    fair = together(perfect, Way(0.05, 0.0, 1.0, 0.05), 0.05)
    assert fair is not None
    assert 3.0 < fair < 4.5
    assert sound(0.3, 0.05, 0.05) < 2
    assert sound(0.0, 0.0, 0.6) < sound(0.0, 0.0, 0.1) - 0.3
    assert sound(1, 0, 0) < 1.1


def test_sound_counts_most() -> None:
    torn_sound, torn_picture = score(Way(0.2, 0.0), None), score(Way(0.0, 0.2), None)
    assert torn_sound is not None
    assert torn_picture is not None
    assert torn_sound < torn_picture
    paused = score(Way(0.0, 0.0, served=0.0), None)
    assert paused is not None
    assert paused > 3.5, "who hears all and sees nothing has no weak connection"


@given(st.lists(st.floats(1, 5), min_size=1, max_size=50))
def test_what_is_shown_is_near_what_is_measured(measured: list[float]) -> None:
    steady = Steady()
    for each in measured:
        before = steady.shown
        assert steady.update(each) is (steady.shown != before)
        assert steady.shown is not None
        assert 1 <= steady.shown <= 5
        assert abs(steady.shown - steady.value) < MARGIN


@given(st.floats(1.5, 4.5), st.lists(st.floats(-0.09, 0.09), min_size=30, max_size=30))
def test_a_score_that_hardly_moves_does_not_flap(around: float, noise: list[float]) -> None:
    steady = Steady()
    changes = [steady.update(around + each) for each in noise]
    assert sum(changes[1:]) <= 1


def test_without_the_margin_it_would_flap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a score at the edge between two changes at every look."""
    monkeypatch.setattr("signalling.media.embedded.quality.MARGIN", 0.5)
    steady = Steady()
    changes = [steady.update(3.5 + (0.09 if each % 2 else -0.09)) for each in range(30)]
    assert sum(changes) > 20
