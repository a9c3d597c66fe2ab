"""The field inspection manual: the rules every other sample refers to."""

from __future__ import annotations

INSPECTION_MANUAL = """
# Field Inspection Manual

Halden Bridge Works, seventh edition, in force from 1 March 2026. Keeper of this manual: Dariusz Wolan, chief inspector. Our
motto has not changed since 1978: plumb, or explained.

## 1 What an inspection is for

An inspection answers three questions. Is the bridge safe for the traffic it carries today? What has changed since we last
looked? What should the owner do, and by when? A report that answers only the first has done a third of the work. Write for the
person who must decide about money, and keep the measurements in the annex for the engineer who will check you.

## 2 Kinds of inspection and how often they fall due

| Kind | Interval | Who leads it | Reach |
|---|---|---|---|
| General inspection | every 24 months | inspector grade B | visual, from the ground and from walkways |
| Principal inspection | every 72 months | inspector grade A | every surface within touching distance |
| Special inspection | after an event | chief inspector | the parts named in the order |
| Acceptance inspection | before handover | two grade A inspectors | whole structure, with the contractor |

A special inspection is ordered after a flood, a vehicle strike, an earthquake of magnitude 4.5 or more within 60 kilometres, or
a fire under the deck. Intervals run from the last day of field work and not from the date of the report. A principal inspection
may be brought forward by any inspector who asks in writing; it may be put off once only, by no more than six months, and only
with the consent of the owner.

## 3 Before leaving the depot

Read the last two reports and the entry in the bridge register. Check that every instrument carries a valid calibration label;
an instrument past its date stays in the cabinet. Leave the trip card with the depot, with the hour at which you will call in.
Two people travel to every bridge. If the second person falls ill, the visit is off.

## 4 Surfaces: looking, touching, sounding

Work from the abutment towards midspan and from the bottom up, so that nothing falls on a surface already cleaned. Sound
concrete with a 500 gram hammer on a grid of 300 millimetres and mark hollow areas with blue chalk. On masonry, sound every
third voussoir and the whole of the crown. Photograph each defect twice, once from two metres to show where it is and once from
a hand's breadth with the scale card in the frame.

Cracks are measured with the crack comparator at three points and the widest is recorded. Hairline cracks, under 0.1
millimetres, are counted but not drawn. Fine cracks, from 0.1 to 0.3 millimetres, are drawn on the sheet. Wide cracks are drawn,
numbered and given a date. Any crack over 1.0 millimetre gets a glass tell-tale on the day it is found, and the tell-tale is
read again after four weeks.

## 5 Plumb and verticality

Piers and towers are checked for lean in two directions at right angles. Hang the 800 gram brass bob in a bucket of light oil
and let it settle for four minutes before reading. Above 15 metres the optical plummet replaces the bob, because wind on a long
line reads as lean. Record the offset in millimetres and divide by the height of the pier. A lean of more than one part in 400
is reported to the owner in the summary. A lean of more than one part in 200, or any lean that has grown by a fifth since the
last visit, calls for a red notice.

## 6 Reinforcement and concrete cover

Where spalling or rust staining shows, take a half-cell potential survey on a grid of 500 millimetres. Readings more negative
than minus 350 millivolts mean that active corrosion is very likely; readings less negative than minus 200 millivolts mean that
it is unlikely. Between the two, take dust samples for chloride at depths of 10, 30 and 50 millimetres and send them to the
Kjelstad laboratory. Carbonation depth is read on a fresh break with phenolphthalein within thirty seconds, before the colour
creeps.

## 7 Bearings and joints

Clean a bearing before judging it. For elastomeric bearings record bulging, splitting and the shear offset; an offset above 70
percent of the rubber height means replacement within twelve months. Roller bearings are seized if a pencil line across roller
and plate has not parted after a day with a swing of ten degrees. Expansion joints are measured at the kerb on both sides and
the air temperature is written beside the number, since a gap without a temperature says nothing.

## 8 Scour and water

Scour is the loss of river bed around a foundation and it is the most frequent cause of sudden failure in our region. After any
flood that passes the alert level of the nearest gauge, probe the bed around every wet pier within 48 hours of the water falling
below that level. Measure down from the brass stud on the pier, at eight points around it. A hole that reaches below the top of
the footing is critical: the bridge is closed first and discussed afterwards. Divers are called when the water is deeper than
1.5 metres or when the probe cannot be held against the current.

## 9 Condition grades

| Grade | Name | Meaning | What we ask of the owner |
|---|---|---|---|
| 1 | sound | as built, or as good | nothing but upkeep |
| 2 | worn | small defects that will not spread before the next visit | routine repair |
| 3 | fair | defects that will spread; strength not yet reduced | repair within three years |
| 4 | poor | strength reduced or about to be | repair within one year, or a load limit |
| 5 | unsafe | a part has failed or may fail without warning | closure until made safe |

Grade the worst main element and let the bridge carry that grade; a mean hides the one pier that matters.

## 10 The red notice

A red notice says that people are at risk now. Any inspector may issue one, and no manager may withdraw it. Telephone the owner
from the site, then the chief inspector, then write the single page form R1 and send it before leaving the bridge, in any case
within two hours of the finding. The notice stands until an inspector of grade A who did not issue it has seen the cure. Since
2010 we have issued 23 red notices; four proved to be false alarms and nobody was blamed for those.

## 11 The report

A draft goes to the second reader within ten working days of the last field day, and the signed report to the owner within
twenty. The first page holds the grade, the three most important findings, and the recommended works with a date and a rough
cost. Photographs are numbered in the order of the walk. Reports are signed by the lead inspector and by the second reader, and
neither may sign for the other.
"""
