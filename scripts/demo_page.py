"""The page of the demo: what the guardian sees of a pack, what it expects, what it does, and what has happened."""

from collections.abc import Callable

from scripts.demo_home import FAN

PAGE = "battery-guardian"
PROBES = (1, 2, 4, 5)
LOGGED = ("guardian_level", "alarm", "last_action", "charge_mosfet", "discharge_mosfet")
A_QUARTER_OF_AN_HOUR = 0.25

_ALERT = """\
{{% set looks = {{'ok': 'success', 'advisory': 'info', 'warning': 'warning'}} %}}
<ha-alert alert-type="{{{{ looks.get(states('{level}'), 'error') }}}}" title="{{{{ state_translated('{level}') }}}}">
{{{{ state_attr_translated('{level}', 'cause') or 'Nothing is wrong.' }}}}
{{% if state_attr('{level}', 'raised_by') %}}({{{{ state_attr_translated('{level}', 'raised_by') }}}}){{% endif %}}
</ha-alert>"""
"""The worst finding, in the colour of its level."""

FULL = {"columns": "full"}

type Card = dict[str, object]


def page(entity_id: Callable[[str], str]) -> dict[str, object]:
    """Return the dashboard of a pack whose entities are found by their keys."""

    def tile(key: str, **more: object) -> Card:
        return {"type": "tile", "entity": entity_id(key), **more}

    sections = (
        (
            "How bad is it?",
            "mdi:shield-alert",
            {"type": "markdown", "content": _ALERT.format(level=entity_id("guardian_level")), "text_only": True},
            tile("guardian_level", name="Guardian"),
            tile("thermal_level", name="Heat"),
            tile("thermal_cause", name="Heat because of", grid_options=FULL),
            tile("temperature_2", name="T2"),
            tile("heat_current_limit", name="Current at most"),
        ),
        (
            "Where does it go?",
            "mdi:chart-line",
            {
                "type": "history-graph",
                "hours_to_show": A_QUARTER_OF_AN_HOUR,
                "entities": [{"entity": entity_id(f"temperature_{probe}"), "name": f"T{probe}"} for probe in PROBES],
                "grid_options": FULL,
            },
            tile("heating_rate", name="Rises by"),
            tile("predicted_temperature", name="In 30 minutes"),
            *(tile(f"time_to_{threshold}_c", name=f"Time to {threshold} °C") for threshold in (45, 60)),
        ),
        (
            "What is done?",
            "mdi:hand-back-right",
            tile("last_action", name="Last action", state_content=["state", "result"], grid_options=FULL),
            {"type": "tile", "entity": FAN},
            tile("current", name="Current"),
            tile("charge_mosfet", name="Charge MOSFET"),
            tile("discharge_mosfet", name="Discharge MOSFET"),
            tile("guardian_mode", name="How far it goes", features=[{"type": "select-options"}], grid_options=FULL),
            {
                "type": "horizontal-stack",
                "grid_options": FULL,
                "cards": [
                    {
                        "type": "button",
                        "entity": entity_id(key),
                        "name": name,
                        "icon_height": "32px",
                        "tap_action": press,
                    }
                    for key, name, press in (
                        ("acknowledge", "Acknowledge", {"action": "toggle"}),
                        (
                            "emergency_stop",
                            "Emergency stop",
                            {"action": "toggle", "confirmation": {"text": "Switch off charge and discharge?"}},
                        ),
                    )
                ],
            },
        ),
        (
            "What happened?",
            "mdi:timeline-clock",
            {
                "type": "logbook",
                "hours_to_show": A_QUARTER_OF_AN_HOUR,
                "target": {
                    "entity_id": [
                        FAN,
                        *map(entity_id, LOGGED),
                    ]
                },
                "grid_options": {"columns": "full", "rows": 8},
            },
        ),
    )
    return {
        "views": [
            {
                "type": "sections",
                "title": "Guardian",
                "path": "guardian",
                "max_columns": 4,
                "sections": [
                    {"type": "grid", "cards": [{"type": "heading", "heading": heading, "icon": icon}, *cards]}
                    for heading, icon, *cards in sections
                ],
            }
        ]
    }
