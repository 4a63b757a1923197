import pytest

from rds_iam.backoff import Backoff
from rds_iam.deadline import Deadline


def test_each_pause_is_twice_the_previous_one_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    backoff = Backoff(first=0.5, longest=3.0)
    assert all(backoff.pause(Deadline.after(60)) for _ in range(5))
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_jitter_shortens_a_pause_by_up_to_half(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    for _ in range(200):
        Backoff(first=2.0, longest=2.0).pause(Deadline.after(60))
    assert 1.0 <= min(pauses) < 1.2
    assert 1.8 < max(pauses) <= 2.0


def test_a_pause_that_would_end_after_the_deadline_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("slept"))
    assert not Backoff(first=2.0, longest=2.0).pause(Deadline.after(1))
