"""Reading an order's manifest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planet_sdk.exceptions import ClientError, UnsafeName
from planet_sdk.manifest import ManifestEntry, read_manifest

MD5 = "889710783e3d889710783e3d889710ab"
SHA256 = "05f234406c8b" * 5 + "abcd"


def _manifest(*files: Any) -> bytes:
    return json.dumps({"name": "", "files": files}).encode()


def test_an_entry_says_all_that_planet_wrote() -> None:
    entry = {
        "path": "PSScene/a.tif",
        "media_type": "image/tiff",
        "size": 83470,
        "digests": {"md5": MD5.upper(), "sha256": SHA256},
        "annotations": {"planet/item_id": "a"},
    }

    assert read_manifest(_manifest(entry)) == [
        ManifestEntry("PSScene/a.tif", 83470, SHA256, MD5, "image/tiff", {"planet/item_id": "a"})
    ]


def test_all_but_the_path_may_be_missing() -> None:
    nulls = {"path": "b", "size": None, "digests": None, "annotations": None, "media_type": None}

    assert read_manifest(_manifest({"path": "a"}, nulls)) == [ManifestEntry("a"), ManifestEntry("b")]


def test_the_same_entry_twice_is_one_file_and_two_that_differ_are_an_error() -> None:
    assert len(read_manifest(_manifest({"path": "a", "size": 1}, {"path": "a", "size": 1}))) == 1
    with pytest.raises(ClientError, match="listed twice"):
        read_manifest(_manifest({"path": "a", "size": 1}, {"path": "a", "size": 2}))


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", "C:/a", "a\\b", "a\0", ""])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(UnsafeName):
        read_manifest(_manifest({"path": path}))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "valid JSON"),
        (b"\xff\xfe{", "valid JSON"),
        (b"[" * 100_000, "valid JSON"),
        (b'{"files": ' + b"[" * 200 + b"]" * 200 + b"}", "nested more than 100 deep"),
        (b'{"files": [], "a": NaN}', "NaN is no JSON"),
        (b'{"files": [{"path": "a", "size": ' + b"9" * 5_000 + b"}]}", "valid JSON"),
        (b" " * (64 * 1024 * 1024 + 1), "longer than 67,108,864 bytes"),
        (b"[]", 'no list "files"'),
        (b'{"files": {}}', 'no list "files"'),
        (_manifest("a"), "not an object"),
        (_manifest({}), 'no text "path"'),
        (_manifest({"path": "a", "size": "12"}), "\"size\" is '12'"),
        (_manifest({"path": "a", "size": -1}), '"size" is -1'),
        (_manifest({"path": "a", "size": 10**30}), '"size" is 1000'),
        (_manifest({"path": "a", "size": 1e3}), '"size" is 1000.0'),
        (_manifest({"path": "a", "size": True}), '"size" is True'),
        (_manifest({"path": "a", "digests": []}), '"digests" is not an object'),
        (_manifest({"path": "a", "digests": {"md5": "xyz"}}), "no md5 digest"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_reason(body: bytes, word: str) -> None:
    with pytest.raises(ClientError, match=word):
        read_manifest(body)
