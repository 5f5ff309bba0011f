"""An order request to begin with: a scene of fields in Oregon, clipped to one of them."""

from __future__ import annotations

from planet_sdk import order_request

_FIELD = {
    "type": "Polygon",
    "coordinates": [
        [
            [-122.82, 45.42],
            [-122.80, 45.42],
            [-122.80, 45.44],
            [-122.82, 45.44],
            [-122.82, 45.42],
        ]
    ],
}

EXAMPLE = order_request.build_request(
    "field 7",
    [order_request.product(["20220605_124027_64_242b"], "analytic_udm2", "PSScene")],
    tools=[order_request.clip_tool(_FIELD)],
)
