"""Where a run's imagery lies: as GeoJSON for programs, as a map for people."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from worker.web.asking import AtDesk
from worker.web.desk import Desk
from worker.web.footprints import FootprintReader, Footprints
from worker.web.map_picture import Map, draw_map
from worker.web.problems import REFUSED, UNKNOWN_RUN
from worker.web.records import RunRecords
from worker.web.shapes import Shape, find_shapes

router = APIRouter(prefix="/v1", tags=["runs"], responses=REFUSED)


@dataclass(frozen=True, slots=True)
class Places:
    """The areas that a run asked for, and the footprints of what it got."""

    areas: list[Shape]
    footprints: Footprints

    def draw(self) -> Map | None:
        """The map of all of them; None where nothing is known."""
        return draw_map(self.areas, self.footprints.shapes)

    def as_geojson(self) -> dict[str, Any]:
        """A FeatureCollection."""
        areas = [_feature(shape, {"what": "area of interest"}) for shape in self.areas]
        items = [_feature(shape, {"what": "item", "item_id": name}) for name, shape in self.footprints.shapes]
        features = [each for each in areas + items if _is_json(each)]
        return {"type": "FeatureCollection", "features": features, "note": self.footprints.note}


def _feature(shape: Shape, properties: dict[str, str]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shape.geometry, "properties": properties}


def _is_json(value: Any) -> bool:
    """Whether programs can read it: a number too large to be one was read as infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


async def find_places(records: RunRecords, reader: FootprintReader, desk: Desk) -> Places:
    """Where a run's imagery lies, from its request and from what was delivered; without secrets."""
    found = await reader.read(records)
    shapes = [(desk.redactor.text(name), shape) for name, shape in found.shapes]
    return Places(list(find_shapes(records.run.request)), Footprints(shapes, desk.redactor.text(found.note)))


@router.get(
    "/runs/{run_id}/map",
    operation_id="get_map",
    response_class=Response,
    responses={
        200: {
            "description": "A FeatureCollection; `note` says what is missing from it.",
            "content": {"application/geo+json": {"schema": {"type": "object"}}},
        },
        **UNKNOWN_RUN,
    },
)
async def get_map(request: Request, desk: AtDesk, run_id: str) -> Response:
    """The areas of interest in a run's request and the footprints of the items that were delivered, as GeoJSON."""
    places = await find_places(await desk.read_records(run_id), request.app.state.footprints, desk)
    return Response(json.dumps(places.as_geojson(), allow_nan=False), media_type="application/geo+json")
