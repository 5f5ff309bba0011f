from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planet_sdk.exceptions import UnsafeName
from planet_sdk.paths import path_inside, safe_relative_path

NASTY = st.sampled_from(
    ["..", ".", "/", "\\", "C:", "\0", "\n", "~", "a", "ä", "\ud800", " ", "%2e%2e", ":", "x" * 300]
)
NAMES = st.one_of(st.text(), st.lists(NASTY).map("/".join), st.lists(NASTY).map("".join))


@given(NAMES)
def test_a_name_is_refused_or_stays_inside(name: str) -> None:
    folder = Path("/orders/one")
    try:
        path = path_inside(folder, name)
    except UnsafeName:
        return
    assert path.is_relative_to(folder)
    assert path != folder
    assert ".." not in path.parts
    assert not any(character in str(path) for character in "\0\n\r\\")


@pytest.mark.parametrize(
    "name", ["a.tif", "b0/PSScene/2024_x.tif", "with space.tif", "ä.tif", "..a", "a..b", "x" * 200]
)
def test_ordinary_names_are_accepted(name: str) -> None:
    assert str(safe_relative_path(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../../evil.txt",
        "a/../../b",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "C:evil",
        "a\0b",
        "a\nb",
        "a\x9bb",
        "x" * 250,
        "\ud800",
        "scene.tif.part",
        "scene.tif.part.json",
        "scene.tif.part.json.new",
        "scene.tif.PART",
        "scene.tif.part/scene.tif",
        "scene\u202efit.exe",
        "scene\u200b.tif",
        "\ufeffscene.tif",
    ],
)
def test_names_that_no_file_here_may_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeName, match="does not stay inside"):
        path_inside(tmp_path, name)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to(folder)

    assert path_inside(folder, "in/a.tif") == folder / "in" / "a.tif"
    for name in ("out/a.tif", "out"):
        with pytest.raises(UnsafeName):
            path_inside(folder, name)


def test_the_folder_itself_may_be_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert path_inside(tmp_path / "link", "a.tif") == tmp_path / "link" / "a.tif"
