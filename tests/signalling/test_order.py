"""The order of one stream's events, without a socket or a clock."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from signalling.protocol.order import LATE, MOST_WAITING, WINDOW_SECONDS, Order


@dataclass(frozen=True)
class Item:
    """An event's place."""

    seq: int
    epoch: str = "one"


def seqs(items: list[Item]) -> list[int]:
    """Their numbers."""
    return [item.seq for item in items]


def begun(seq: int = 1) -> Order[Item]:
    """An order of which this number has left."""
    order: Order[Item] = Order()
    assert seqs(order.take(Item(seq), 0.0)) == [seq]
    return order


def test_in_order_everything_leaves_at_once() -> None:
    order = begun()
    assert [seqs(order.take(Item(seq), 0.0)) for seq in (2, 3, 4)] == [[2], [3], [4]]
    assert order.due is None


def test_what_comes_too_early_waits_for_what_is_missing() -> None:
    order = begun()
    assert order.take(Item(3), 1.0) == []
    assert order.take(Item(4), 1.01) == []
    assert order.due == 1.0 + WINDOW_SECONDS
    assert seqs(order.take(Item(2), 1.02)) == [2, 3, 4]
    assert order.due is None


def test_each_hole_has_its_own_time() -> None:
    order = begun()
    order.take(Item(3), 1.0)
    order.take(Item(5), 1.04)
    assert order.pass_over(1.0 + WINDOW_SECONDS - 0.001) == []
    assert seqs(order.pass_over(1.0 + WINDOW_SECONDS)) == [3]
    assert order.due == 1.04 + WINDOW_SECONDS
    assert seqs(order.pass_over(1.04 + WINDOW_SECONDS)) == [5]


def test_late_ones_leave_once() -> None:
    order = begun()
    order.take(Item(4), 1.0)
    order.pass_over(2.0)
    assert seqs(order.take(Item(2), 3.0)) == [2]
    assert order.take(Item(2), 3.0) == []
    assert seqs(order.take(Item(3), 3.0)) == [3]
    assert order.take(Item(4), 3.0) == []


def test_what_is_far_too_late_is_dropped() -> None:
    order = begun()
    order.take(Item(LATE + 10), 1.0)
    order.pass_over(2.0)
    assert order.take(Item(2), 3.0) == []
    assert seqs(order.take(Item(LATE + 9), 3.0)) == [LATE + 9]


def test_what_was_before_the_first_may_come_late() -> None:
    order = begun(10)
    assert seqs(order.take(Item(9), 0.0)) == [9]
    assert order.take(Item(9), 0.0) == []
    assert order.take(Item(0), 0.0) == []


def test_another_epoch_begins_anew() -> None:
    order = begun(10)
    order.take(Item(12), 0.0)
    assert seqs(order.take(Item(1, "two"), 0.0)) == [1]
    assert order.due is None
    assert seqs(order.take(Item(2, "two"), 0.0)) == [2]


def test_what_waits_is_bounded() -> None:
    order = begun()
    left = [item for seq in range(3, MOST_WAITING + 4) for item in order.take(Item(seq), 0.0)]
    assert seqs(left) == list(range(3, MOST_WAITING + 4))
    assert order.due is None


@given(st.permutations(range(2, 40)), st.lists(st.integers(2, 39)))
def test_whatever_the_order_everything_leaves_once_and_in_order_within_the_window(
    arrivals: list[int], again: list[int]
) -> None:
    order = begun()
    left = [item for seq in [*arrivals, *again] for item in order.take(Item(seq), 0.0)]
    assert seqs(left) == list(range(2, 40))


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 0.1)), max_size=100))
def test_nothing_leaves_twice_and_nothing_recent_is_kept_back(arrivals: list[tuple[int, float]]) -> None:
    order: Order[Item] = Order()
    now, left = 0.0, []
    for seq, pause in arrivals:
        now += pause
        left += order.pass_over(now)
        left += order.take(Item(seq), now)
    left += order.pass_over(now + WINDOW_SECONDS)
    assert len(set(seqs(left))) == len(left)
    assert set(seqs(left)) == {seq for seq, _ in arrivals}
    assert order.due is None
