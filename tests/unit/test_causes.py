"""What makes two failures one: the message without ids, numbers, names and paths."""

from __future__ import annotations

import pytest

from jobs.causes import generalize


@pytest.mark.parametrize(
    ("messages", "general"),
    [
        (
            ["Planet answered 401: no such key (check PL_API_KEY)"],
            "Planet answered 401: no such key (check PL_API_KEY)",
        ),
        (
            [
                "the order failed at Planet: 20220605_124027_64_242b cannot be clipped",
                "the order failed at Planet: 20200925_161029_69_2223 cannot be clipped",
            ],
            "the order failed at Planet: … cannot be clipped",
        ),
        (
            [
                "its deadline (2026-11-22 22:01:02 UTC) is past; order 8d7f6910-d563-4902-abcd-573a8e8641c8 goes on",
                "its deadline (2025-01-02 03:04:05 UTC) is past; order 00000000-d563-4902-abcd-573a8e8641c8 goes on",
            ],
            "its deadline (… UTC) is past; order … goes on",
        ),
        (
            [
                "/data/a.tif cannot be written (Permission denied)",
                "file:///srv/b/c.tif cannot be written (Permission denied)",
            ],
            "… cannot be written (Permission denied)",
        ),
        (
            [
                "2 files are not as promised: o/a.tif (missing); o/b.tif (bad_size: 1,000 bytes, 2 were promised)",
                "3 files are not as promised: p/a.tif (missing); p/b.tif (missing); p/c.tif (bad_digest: its md5)",
            ],
            "… files are not as promised: … (missing), …",
        ),
        (["KeyError: 'field 7'", "KeyError: 'x'"], "KeyError: …"),
        (["don't, can't"], "don't, can't"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_messages_that_differ_in_ids_numbers_names_and_paths_are_one(messages: list[str], general: str) -> None:
    assert {generalize(message) for message in messages} == {general}


def test_different_answers_stay_apart() -> None:
    assert generalize("Planet answered 500: oops") != generalize("Planet answered 503: oops")
