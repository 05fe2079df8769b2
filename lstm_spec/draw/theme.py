"""Colours by role, for a light and a dark ground; text has at least 4.5:1 and strokes 3:1 against what they lie on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Theme = Literal["auto", "light", "dark"]

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "dim": "#4f5963",
        "panel": "#edf3eb",
        "panel-line": "#5b7f58",
        "layer": "#ffe9a8",
        "layer-line": "#876300",
        "point": "#f9d3df",
        "point-line": "#a82c58",
        "entry": "#dbe9f8",
        "state": "#0b5fa5",
        "gradient": "#5b2a86",
        "state-gradient": "#b3261e",
        "weight": "#7d8791",
        "mark": "#c4300b",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#0f131a",
        "ink": "#e9edf2",
        "dim": "#a9b3be",
        "panel": "#17221d",
        "panel-line": "#6f9c74",
        "layer": "#463709",
        "layer-line": "#d9a928",
        "point": "#4d1a2f",
        "point-line": "#f08bb0",
        "entry": "#12304f",
        "state": "#6cb2ff",
        "gradient": "#c9a3ff",
        "state-gradient": "#ff8a80",
        "weight": "#7f8b97",
        "mark": "#ff9d5c",
    }
)

FILL = MappingProxyType(
    {
        "layer": "layer",
        "neuron": "layer",
        "product": "point",
        "sum": "point",
        "function": "point",
        "constant": "paper",
        "concat": "ink",
        "split": "ink",
        "cell": "panel",
        "entry": "entry",
        "vector": "entry",
        "joint": "ink",
        "copy": "gradient",
    }
)
STROKE = MappingProxyType(
    {
        "layer": "layer-line",
        "neuron": "layer-line",
        "product": "point-line",
        "sum": "point-line",
        "function": "point-line",
        "constant": "point-line",
        "concat": "ink",
        "split": "ink",
        "cell": "panel-line",
        "entry": "state",
        "vector": "state",
        "joint": "ink",
        "copy": "gradient",
    }
)
FLOW = MappingProxyType(
    {
        "state": "state",
        "value": "ink",
        "state_gradient": "state-gradient",
        "gradient": "gradient",
        "weight": "weight",
    }
)
"""The palette entry of every role's ground and border, and of every flow's line."""


def palette(theme: Theme) -> Mapping[str, str]:
    """Return the colours of a theme; "auto" is light where an output cannot follow the reader's setting."""
    return DARK if theme == "dark" else LIGHT
