"""The tools that Planet applies to the images before it delivers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planet_sdk import geojson, specs
from planet_sdk.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLIP_TYPES = ("Polygon", "MultiPolygon", "ref")
_COMPOSITE_GROUPS = ("order", "strip_id")


def clip_tool(aoi: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return the tool that cuts the images to an area.

    Args:
        aoi: a Polygon or MultiPolygon, a Feature or a FeatureCollection with one of these, or a feature reference
            (`pl:features/<owner>/<collection>/<feature>`).

    Raises:
        ClientError: it is not valid, or not an area.
    """
    geometry = geojson.as_geom_or_ref(aoi)
    if geometry["type"] not in _CLIP_TYPES:
        raise ClientError(f"Invalid geometry type: {geometry['type']} is not in {list(_CLIP_TYPES)}.")
    return _tool("clip", aoi=geometry)


def composite_tool(group_by: str | None = None) -> dict[str, Any]:
    """Return the tool that joins images into one.

    Args:
        group_by: "order" (Planet's default) for one composite, "strip_id" for one per strip.

    Raises:
        ClientError: any other `group_by`.
    """
    if group_by and group_by not in _COMPOSITE_GROUPS:
        raise ClientError(f"Invalid group_by value: {group_by}. Must be 'order' or 'strip_id'.")
    return _tool("composite", group_by=group_by or None)


def coregister_tool(anchor_item: str) -> dict[str, Any]:
    """Return the tool that aligns all items with `anchor_item`, an item id."""
    return _tool("coregister", anchor_item=anchor_item)


def file_format_tool(file_format: str) -> dict[str, Any]:
    """Return the tool that writes "COG" or "PL_NITF", or raise SpecificationException for another format."""
    return _tool("file_format", format=specs.validate_file_format(file_format))


def reproject_tool(projection: str, resolution: float | None = None, kernel: str | None = None) -> dict[str, Any]:
    """Return the tool that warps the images.

    Args:
        projection: "EPSG:n".
        resolution: pixel size in the unit of the projection (metres, or degrees); by default that of the item.
        kernel: near (Planet's default), bilinear, cubic, cubicspline, lanczos, average or mode.
    """
    return _tool("reproject", projection=projection, resolution=resolution, kernel=kernel or None)


def tile_tool(
    tile_size: int,
    origin_x: float | None = None,
    origin_y: float | None = None,
    pixel_size: float | None = None,
    name_template: str | None = None,
    conformal_x_scaling: bool | None = None,
) -> dict[str, Any]:
    """Return the tool that cuts the images into square tiles.

    Args:
        tile_size: width and height of a tile in pixels.
        origin_x: of the tiling system, in projected coordinates; Planet's default is 0.
        origin_y: as `origin_x`.
        pixel_size: in projected coordinates; by default that of the item.
        name_template: Planet's default is "{tilex}_{tiley}.tif"; `{tilex:06d}` gives a fixed width.
        conformal_x_scaling: whether pixels keep their shape away from the equator.
    """
    return _tool(
        "tile",
        tile_size=tile_size,
        origin_x=origin_x,
        origin_y=origin_y,
        pixel_size=pixel_size,
        name_template=name_template or None,
        conformal_x_scaling=conformal_x_scaling,
    )


def toar_tool(scale_factor: int | None = None) -> dict[str, Any]:
    """Return the tool that gives top-of-atmosphere reflectance times `scale_factor` (Planet's default: 10000)."""
    return _tool("toar", scale_factor=scale_factor)


def harmonize_tool(target_sensor: str) -> dict[str, Any]:
    """Return the tool that calibrates the images to `target_sensor`, or raise ClientError for an unknown one."""
    sensor = specs.get_match(target_sensor, specs.HARMONIZE_TOOL_TARGET_SENSORS, "target_sensor")
    return _tool("harmonize", target_sensor=sensor)


def band_math_tool(
    b1: str,
    b2: str | None = None,
    b3: str | None = None,
    b4: str | None = None,
    b5: str | None = None,
    b6: str | None = None,
    b7: str | None = None,
    b8: str | None = None,
    b9: str | None = None,
    b10: str | None = None,
    b11: str | None = None,
    b12: str | None = None,
    b13: str | None = None,
    b14: str | None = None,
    b15: str | None = None,
    pixel_type: str = specs.BAND_MATH_PIXEL_TYPE_DEFAULT,
) -> dict[str, Any]:
    """Return the tool that computes each output band from an expression over the input bands.

    Args:
        b1: the expression of the first output band, for example "(b4 - b3) / (b4 + b3)".
        b2: of the second, and so on without a gap.
        b3: as `b2`.
        b4: as `b2`.
        b5: as `b2`.
        b6: as `b2`.
        b7: as `b2`.
        b8: as `b2`.
        b9: as `b2`.
        b10: as `b2`.
        b11: as `b2`.
        b12: as `b2`.
        b13: as `b2`.
        b14: as `b2`.
        b15: as `b2`.
        pixel_type: Auto, 8U, 16U, 16S or 32R.

    Raises:
        ClientError: the pixel type is unknown, or a band is left out.
    """
    expressions = (b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15)
    bands = {f"b{number}": expression for number, expression in enumerate(expressions, start=1) if expression}
    if list(bands) != [f"b{number}" for number in range(1, len(bands) + 1)] or not bands:
        raise ClientError(f"bands without a gap from b1 on are needed; got {', '.join(bands) or 'none'}")
    return _tool("bandmath", **bands, pixel_type=specs.get_match(pixel_type, specs.BAND_MATH_PIXEL_TYPE, "pixel_type"))


def _tool(name: str, **parameters: object) -> dict[str, Any]:
    return {name: {key: value for key, value in parameters.items() if value is not None}}
