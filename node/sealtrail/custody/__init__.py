"""The rules over an item's history: verdicts, findings, journey. Pure: no store, no clock, no chain.

What has to be known about an item is gathered, and each entry verified, before it comes here.
"""

from __future__ import annotations

from sealtrail.custody.beside import Beside, Described
from sealtrail.custody.corrections import Correction
from sealtrail.custody.findings import CATALOGUE, Finding, FindingClass
from sealtrail.custody.history import Grade, Mention, Parameters, Question, Recorded
from sealtrail.custody.journey import Step
from sealtrail.custody.judge import CLASS_SCHEMES, Judgement, State, classes_of, judge
from sealtrail.custody.similar import similar_items
from sealtrail.custody.verdicts import Verdict, Verdicts

__all__ = [
    "CATALOGUE",
    "CLASS_SCHEMES",
    "Beside",
    "Correction",
    "Described",
    "Finding",
    "FindingClass",
    "Grade",
    "Judgement",
    "Mention",
    "Parameters",
    "Question",
    "Recorded",
    "State",
    "Step",
    "Verdict",
    "Verdicts",
    "classes_of",
    "judge",
    "similar_items",
]
