"""New runs on their way to the script that writes them."""

from __future__ import annotations

from jobs.new_runs import NewRun, parcels


def new_runs(count: int, request: str = "{}") -> list[NewRun]:
    return [NewRun(f"R{number}", {"run_id": f"R{number}", "request": request}, "f") for number in range(count)]


def test_a_parcel_holds_a_hundred_runs_and_none_is_left_out() -> None:
    sizes = [len(texts) // 2 for texts in parcels(new_runs(250), now_ms=0)]

    assert sizes == [100, 100, 50]
    assert list(parcels([], now_ms=0)) == []


def test_a_parcel_is_closed_early_when_its_requests_are_long() -> None:
    """One script must not hold the server up, nor grow beyond what it takes."""
    sizes = [len(texts) // 2 for texts in parcels(new_runs(5, request="x" * 600_000), now_ms=0)]

    assert sizes == [2, 2, 1]
