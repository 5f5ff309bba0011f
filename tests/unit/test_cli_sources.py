from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from worker.cli.exits import CommandError
from worker.cli.sources import Entry, Sources, read_entries


def read(body: str | bytes) -> list[Entry]:
    return list(read_entries(io.BytesIO(body.encode() if isinstance(body, str) else body), "f"))


def test_one_request_may_span_many_lines() -> None:
    assert read('{\n  "name": "a"\n}\n') == [Entry("f", {"name": "a"})]


def test_an_array_gives_each_request_its_position() -> None:
    assert read('[{"name": "a"}, {"name": "b"}]') == [Entry("f[0]", {"name": "a"}), Entry("f[1]", {"name": "b"})]


def test_one_request_a_line_gives_each_its_line_and_skips_empty_ones() -> None:
    assert read('{"name": "a"}\n\n{"name": "b"}\n') == [Entry("f:1", {"name": "a"}), Entry("f:3", {"name": "b"})]


def test_a_bad_line_does_not_hide_the_lines_after_it() -> None:
    first, second, third = read('{"name": "a"}\n{"name": \n{"name": "c"}\n')
    assert (first.flaw, third.flaw) == (None, None)
    assert second.place == "f:2"
    assert "not JSON" in str(second.flaw)


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_it() -> None:
    assert read(b'\xef\xbb\xbf{"name": "a"}') == [Entry("f", {"name": "a"})]


def test_a_file_without_line_end_loses_nothing() -> None:
    assert [entry.value["name"] for entry in read('{"name": "a"}\n{"name": "b"}')] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "place", "flaw"),
    [
        ("", "f", "no request"),
        (" \n\n", "f", "no request"),
        ("[]", "f", "no request"),
        ('{"name": "a"', "f:1", "not JSON"),
        ('{\n"name":\n}', "f:3", "not JSON"),
        ("hello", "f:1", "not JSON"),
        ('{"a": 1} {"a": 2}', "f:1", "one a line"),
        ('{"a": NaN}', "f", "NaN"),
        (b'{"a": "\xff"}', "f", "UTF-8"),
        ("[" * 100_000, "f", "nested too deeply"),
    ],
)
def test_what_is_no_request_is_said_with_its_place(body: str | bytes, place: str, flaw: str) -> None:
    (entry,) = read(body)
    assert entry.place == place
    assert flaw in str(entry.flaw)


def test_sources_can_be_read_twice_standard_input_too(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"name": "a"}')
    with Sources([str(file), "-"], io.BytesIO(b'[{"name": "b"}]')) as sources:
        names = [[entry.value["name"] for entry in sources] for _ in range(2)]
    assert names == [["a", "b"], ["a", "b"]]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    name = str(tmp_path / "none.json")
    with Sources([name], io.BytesIO()) as sources, pytest.raises(CommandError, match=re.escape(name)):
        list(sources)
