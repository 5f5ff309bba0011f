"""What Planet offers, from the specification that ships with the package."""

from __future__ import annotations

from typing import Any

import pytest

from planet_sdk import specs
from planet_sdk.exceptions import SpecificationException


def test_the_specification_names_bundles_item_types_and_assets() -> None:
    assert len(specs.get_bundle_names()) == 35
    assert specs.PRODUCT_BUNDLES["bundles"]["analytic_udm2"]["assets"]["PSScene"] == [
        "ortho_analytic_4b",
        "ortho_analytic_4b_xml",
        "ortho_udm2",
    ]
    assert specs.get_item_types("Analytic_UDM2") == {
        "PSOrthoTile", "PSScene", "SkySatScene", "SkySatCollect", "PelicanScene",
    }  # fmt: skip


def test_names_match_whatever_their_capitals_and_come_back_as_planet_spells_them() -> None:
    assert specs.validate_item_type("psscene") == "PSScene"
    assert specs.validate_bundle("psscene", "VISUAL") == "visual"
    assert specs.validate_asset_type("PSSCENE", "Ortho_Visual") == "ortho_visual"
    assert specs.validate_file_format("cog") == "COG"
    assert specs.validate_tool("Clip") == "clip"
    assert specs.validate_data_item_type("skysatvideo") == "SkySatVideo"


def test_bundles_of_an_item_type_are_those_that_hold_its_assets() -> None:
    assert specs.get_product_bundles("tanagermethane") == [
        "methane_quicklook", "quality_controlled_methane", "methane", "integrated_methane_enhancement",
    ]  # fmt: skip
    assert specs.get_product_bundles("nothing") == []
    assert specs.get_product_bundles() == specs.get_bundle_names()


def test_a_bundle_of_another_item_type_is_refused_with_those_of_this_one() -> None:
    """`analytic` for PSScene is the mistake that users make most."""
    with pytest.raises(SpecificationException, match=r"bundle - 'analytic' is not one of .*'analytic_udm2'"):
        specs.validate_bundle("PSScene", "analytic")


@pytest.mark.parametrize("value", [None, 5, "", "psscenes"])
def test_what_is_no_item_type_is_refused_with_those_that_are(value: Any) -> None:
    with pytest.raises(SpecificationException, match=r"item_type .* is not one of .*'PSScene'"):
        specs.validate_item_type(value)
