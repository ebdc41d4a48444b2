"""Write docs/settings.md: all that can be written into a board, from the table that the integration itself uses.

.venv/bin/python -m scripts.document_settings
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from custom_components.jk_bms.bms.layout import Generation
from custom_components.jk_bms.bms.registers import ORDER, SETTINGS_BY_KEY, Danger, Instruction, Kind, Register, Setting

type Texts = Mapping[str, Mapping[str, Mapping[str, str]]]

PROJECT = Path(__file__).parent.parent
DOCUMENT = PROJECT / "docs/settings.md"
TEXTS = PROJECT / "custom_components/jk_bms/translations/en.json"

GENERATIONS = {Generation.JK04: "JK04", Generation.JK02_24S: "24S", Generation.JK02_32S: "32S"}
PERMISSIONS = {Danger.SWITCH: "Switches", Danger.SETTING: "All", Danger.DANGEROUS: "All, `confirm`"}
TITLES = {Kind.SWITCH: "Switches", Kind.NUMBER: "Numbers", Kind.CHOICE: "Choices", Kind.TEXT: "Texts"}

INTRODUCTION = """\
# Every setting

All that can be written into a board. This page is made by `python -m scripts.document_settings` from
[the table](../custom_components/jk_bms/bms/registers.py) that the integration itself uses.

- *Key* is the name for [actions](actions.md).
- *Range* is what the boards take; a board takes no more than it is rated for. *Step* is what a value is rounded to.
- *Allow changes* is what the option of that name has to be set to at least. `confirm` means that there is no entity for
  it, and that the action has to be told `confirm: true`. That holds for every protection, too, that is loosened beyond
  what is safe for the cells.
- *From* is the first software that has it.
- *JK04*, *24S* and *32S* are the registers of the three generations of boards: no register, no such setting.

Chapters:

- [Switches](#switches)
- [Numbers](#numbers)
- [Choices](#choices)
- [Texts](#texts)
- [Commands](#commands)
- [Order](#order)
"""
ORDER_INTRODUCTION = """\
In each line the values have to rise from the first to the last. What a board doesn't have is left out. A change that
breaks the order is refused before anything is written; several related values in one call are written in an order in
which none breaks it.
"""


def table(rows: Iterable[Mapping[str, str]]) -> str:
    """Return a table in Markdown, without the columns that no row fills."""
    rows = list(rows)
    columns = [column for column in rows[0] if any(row[column] for row in rows)]
    lines = [columns, ["---"] * len(columns), *([row[column] for column in columns] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def span(setting: Setting, register: Register) -> str:
    """Return what a register takes, where that isn't clear from the kind of setting."""
    if setting.kind is Kind.TEXT:
        return f"up to {register.length} characters"
    return f"{register.lowest:.10g} … {register.highest:.10g}" if setting.kind is Kind.NUMBER else ""


def spans(setting: Setting) -> str:
    """Return the range, by generation where they differ."""
    names: dict[str, list[str]] = {}
    for generation, name in GENERATIONS.items():
        if generation in setting.registers:
            names.setdefault(span(setting, setting.registers[generation]), []).append(name)
    if len(names) == 1:
        return next(iter(names))
    return "; ".join(f"{', '.join(generations)}: {text}" for text, generations in names.items())


def setting_row(setting: Setting, name: str) -> dict[str, str]:
    """Return the row of a setting."""
    registers = {
        title: f"0x{setting.registers[generation].number:02X}" if generation in setting.registers else ""
        for generation, title in GENERATIONS.items()
    }
    return {
        "Name": name,
        "Key": f"`{setting.key}`",
        "Unit": setting.unit or "",
        "Range": spans(setting),
        "Step": f"{setting.step:.7f}".rstrip("0").rstrip(".") if setting.kind is Kind.NUMBER else "",
        "Allow changes": PERMISSIONS[setting.danger],
        "From": str(setting.first_software or ""),
        **registers,
    }


def choice_tables(settings: Iterable[Setting], names: Mapping[str, str], texts: Texts) -> Iterator[str]:
    """Return the choices, once for all settings that have the same."""
    alike: dict[tuple[str, ...], list[Setting]] = {}
    for setting in settings:
        alike.setdefault(setting.choices, []).append(setting)
    for choices, having in alike.items():
        meanings = texts[having[0].key]["state"]
        rows = (
            {"Number": str(number), "Key": f"`{choice}`", "Meaning": meanings[choice]}
            for number, choice in enumerate(choices)
        )
        yield f"### {', '.join(names[setting.key] for setting in having)}\n\n{table(rows)}"


def document() -> str:
    """Return the whole page."""
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    names: dict[str, str] = texts["selector"]["setting"]["options"]
    commands: dict[str, str] = texts["selector"]["command"]["options"]
    parts = [INTRODUCTION]
    for kind, title in TITLES.items():
        settings = [setting for setting in SETTINGS_BY_KEY.values() if setting.kind is kind]
        parts.append(f"## {title}\n\n{table(setting_row(each, names[each.key]) for each in settings)}")
        if kind is Kind.CHOICE:
            parts.extend(choice_tables(settings, names, texts["entity"]["select"]))
    rows = (
        {
            "Name": commands[each.key],
            "Key": f"`{each.key}`",
            "Allow changes": PERMISSIONS[each.danger],
            "32S": f"0x{each:02X}",
        }
        for each in Instruction
    )
    parts.append(f"## Commands\n\n32S boards only.\n\n{table(rows)}")
    chains = "".join(f"- {' < '.join(names[key] for key in chain)}\n" for chain in ORDER)
    parts.append(f"## Order\n\n{ORDER_INTRODUCTION}\n{chains}")
    return "\n".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
