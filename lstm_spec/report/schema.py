"""The form of a JSON report, as a schema that comes with the package."""

import json
from importlib.resources import files
from typing import Any


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema, of the draft 2020-12, that every report is valid under.

    >>> report_schema()["properties"]["schema"]
    {'const': 1}
    """
    text = files("lstm_spec.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
