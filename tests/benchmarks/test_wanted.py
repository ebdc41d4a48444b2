"""What is measured is held against what is wanted, and said."""

from __future__ import annotations

import json

import pytest

from benchmarks.wanted import against, print_report

WANTED = against({"delay_s": 1.5, "lost": 0}, {"delay_s": 1.5, "lost": 2, "nobody asked": 9})


def test_at_most() -> None:
    assert WANTED == {
        "delay_s": {"at_most": 1.5, "measured": 1.5, "met": True},
        "lost": {"at_most": 0, "measured": 2, "met": False},
    }


def test_a_report_in_words_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"place": "süd", "wanted": WANTED}
    print_report(report, as_json=False)
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(words[0], words[1], words[-1]) for words in said] == [("delay_s", "1.5", "met"), ("lost", "2", "MET")]
    assert said[1][-2] == "NOT"
    print_report(report, as_json=True)
    assert json.loads(capsys.readouterr().out) == report
