"""The problem documents that routes may answer, as the OpenAPI document tells them."""

from __future__ import annotations

from typing import Any

Answers = dict[int | str, dict[str, Any]]


def problem(description: str) -> dict[str, Any]:
    """One answer that is a problem document."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


REFUSED: Answers = {
    401: problem("A token is needed, or this one is not known."),
    403: problem("The token lacks the scope, or the call comes from a page of another origin."),
    421: problem("The Host header names another host; tokens lift this."),
    422: problem("A parameter or a field is wrong; `errors` names each."),
    500: problem("A record that cannot be read, or a fault of ours; the log says why."),
    503: problem("Redis is away; try again in a moment."),
}
"""What any route of the API may answer besides what it is for."""

UNKNOWN_RUN: Answers = {404: problem("There is no such run.")}
NOT_POSSIBLE: Answers = {409: problem("The run's state does not allow it.")}
BAD_BODY: Answers = {
    400: problem("The body is not JSON, or was cut off."),
    413: problem("The body is too large."),
    415: problem("The body is not application/json."),
}
