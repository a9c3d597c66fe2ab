"""Writes the sample documents into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from plumbline.samples import workbooks
from plumbline.samples.client_questions import CLIENT_QUESTIONS
from plumbline.samples.data_policy import DATA_POLICY
from plumbline.samples.drone_procedure import DRONE_PROCEDURE
from plumbline.samples.framework_agreement import FRAMEWORK_AGREEMENT
from plumbline.samples.glossary import GLOSSARY
from plumbline.samples.inspection_manual import INSPECTION_MANUAL
from plumbline.samples.letters import BEARING_REPLACEMENT, SCOUR_ALARM, TRAVEL_ALLOWANCE
from plumbline.samples.office import docx, pptx, xlsx
from plumbline.samples.onboarding import ONBOARDING
from plumbline.samples.otter_bridge_review import OTTER_BRIDGE_REVIEW
from plumbline.samples.pages import html, pdf
from plumbline.samples.plain import csv, eml, plain
from plumbline.samples.safety_handbook import SAFETY_HANDBOOK
from plumbline.samples.sensor_programme import SENSOR_PROGRAMME
from plumbline.samples.viaduct_report import VIADUCT_REPORT

_DOCUMENTS: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("inspection-manual.pdf", lambda: pdf(INSPECTION_MANUAL)),
    ("quarrel-gorge-viaduct.pdf", lambda: pdf(VIADUCT_REPORT)),
    ("safety-handbook.docx", lambda: docx(SAFETY_HANDBOOK)),
    ("framework-agreement.docx", lambda: docx(FRAMEWORK_AGREEMENT)),
    ("sensor-programme.pptx", lambda: pptx(SENSOR_PROGRAMME)),
    ("bridge-register.xlsx", lambda: xlsx((workbooks.REGISTER, workbooks.OWNERS))),
    ("equipment.xlsx", lambda: xlsx((workbooks.INSTRUMENTS, workbooks.ROPES))),
    ("inspection-schedule-2027.csv", lambda: csv(workbooks.SCHEDULE)),
    ("web/first-month.html", lambda: html(ONBOARDING)),
    ("web/owners-questions.html", lambda: html(CLIENT_QUESTIONS)),
    ("drone-procedure.md", lambda: plain(DRONE_PROCEDURE)),
    ("data-policy.md", lambda: plain(DATA_POLICY)),
    ("otter-bridge-review.md", lambda: plain(OTTER_BRIDGE_REVIEW)),
    ("glossary.txt", lambda: plain(GLOSSARY)),
    ("mail/scour-alarm.eml", lambda: eml(SCOUR_ALARM)),
    ("mail/bearing-replacement.eml", lambda: eml(BEARING_REPLACEMENT)),
    ("mail/travel-allowance.eml", lambda: eml(TRAVEL_ALLOWANCE)),
)


def write_samples(folder: Path) -> list[Path]:
    """Write every sample document below ``folder`` and return their paths, in order.

    The bytes are the same on every run. A file that already holds them is left alone, its modification time included;
    any other is replaced in one step, so that nobody ever reads half a file.
    """
    return [_put(folder / name, make()) for name, make in _DOCUMENTS]


def _put(path: Path, content: bytes) -> Path:
    if path.is_file() and path.read_bytes() == content:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
