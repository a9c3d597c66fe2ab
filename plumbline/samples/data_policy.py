"""What inspection data is kept, for how long, and who may see it."""

from __future__ import annotations

DATA_POLICY = """
# Data policy

Policy D-2, version 5, in force from 1 June 2026. Owner: Pilar Etxeberria, data steward. Reviewed every June.

## What we hold and for how long

| Class | Examples | Kept for | Who may read |
|---|---|---|---|
| Open | yearly register extract, published grades | for ever | everyone |
| Client | reports, drawings, cost estimates | life of the bridge and ten years | the client and all staff |
| Field | photographs, readings, drone pictures, sensor traces | twenty years | all staff |
| Personal | trip cards, medical certificates, yellow cards with names | two years after leaving | the person and the safety officer |
| Security | plans of movable bridges, barrier codes | until replaced | four named people |

A class is chosen when a file is stored and can be read off its folder. When in doubt choose the narrower class; widening takes
a minute and a leak cannot be taken back.

## Names and faces

People in photographs are made unrecognisable before a picture leaves the field class. Reports name inspectors and contractors
but never passers-by, complainants or the finder of a defect who asked to stay unnamed. A person may ask what we hold about them
and gets an answer within 21 days. A request to be forgotten is carried out within 30 days, including backups, unless the
picture is evidence for an open red notice; then it is locked and only the data steward can open it.

## Where it lives

The master copy is in the server room in Varnes. A second copy is written every night to Kjelstad and a third, encrypted, every
Sunday to a disk that Marit Solheim carries to the bank. Restoring is practised in February and in August: ten files are drawn
by lot and must be back within four hours. In August 2026 it took 37 minutes.

## Sensor traces

Raw traces are never corrected. A correction, such as the temperature model, is stored as a second trace with the version of the
model, so that anyone can see what was measured and what was made of it. Gaps stay gaps.

## Search

Staff find documents by a search that shows for each hit which file and which version it came from. A document that failed its
checks is not shown until its owner has put it right. Nobody has to trust a passage that cannot say where it came from.

## When data is lost or leaks

Tell the data steward at once, at any hour, on extension 7711. The steward decides within 24 hours whether clients must be told,
and the authority is told within 72 hours when personal data is affected. The only leak so far, in May 2022, was a folder of
trip cards shared by mistake with a contractor for six days.
"""
