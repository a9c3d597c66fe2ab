"""The safety handbook: ropes, wind, lone work, rescue."""

from __future__ import annotations

SAFETY_HANDBOOK = """
# Safety Handbook for Work at Height and on Water

Halden Bridge Works. Issued 12 January 2026 by Aoife Brennan, head of rope access. Replaces the issue of 2023.

## Who may go on ropes

Rope work is done in teams of three: two on ropes and one at the anchors who does nothing else. The team leader holds level 3,
the others at least level 1. A medical certificate is renewed every two years, and every year from the age of 50. Nobody goes
over the edge within eight hours of alcohol or after a night with less than six hours of sleep, and nobody is asked to explain
why they would rather stay on top today.

## Wind, cold and lightning

The wind that counts is the mean over ten minutes measured at deck level with the hand anemometer, not the forecast.

| Activity | Stop at mean wind | Stop at gust |
|---|---|---|
| Rope access under a deck | 11 metres a second | 15 metres a second |
| Rope access on a tower or pylon | 8 metres a second | 12 metres a second |
| Underbridge inspection unit | 12 metres a second | 16 metres a second |
| Boat work | 9 metres a second | 13 metres a second |
| Drone flight | 8 metres a second | 10 metres a second |

Below minus 10 degrees ropes are not used, because the devices slip on ice. When thunder is heard, everyone leaves the
structure, and work starts again thirty minutes after the last thunder.

## Equipment on the body

Each climber wears a full body harness, a helmet with a chin strap, and two devices on two separate ropes. Ropes are retired
after five years from first use, or ten years from the date of manufacture, whichever comes first, and at once after holding a
fall. A harness is inspected by a competent person every six months; the record is kept with the serial number in the equipment
workbook. Red tape on any item means that it waits for scrapping. Do not cut the tape off to use the item once more.

## Rescue

No team works on ropes without a rescue plan that it can carry out itself. The plan is one page, is read aloud on the anchors
before the first descent, and names the person who cuts, the person who lowers and the person who calls. A climber hanging
motionless in a harness must be on the ground within ten minutes; suspension kills faster than most people believe. Each team
practises a pick-off rescue once a month, and the times are written on the wall of the depot. The best time last year was four
minutes and 50 seconds, by the Kjelstad team.

## Water

Life jackets of 275 newtons are worn within three metres of any edge above water when no rail stands between. The boat carries a
throw line, a radio and a second engine. Nobody wades above the knee. When the river rises more than 20 centimetres in an hour,
boats come out and nobody goes in to fetch a tool.

## Traffic and trains

Work within three metres of a live track needs a possession from the railway and a lookout with a horn. On roads, the crash
cushion vehicle stands 50 metres before the work, with its wheels turned to the kerb. High visibility clothing is class 3 on
carriageways and class 2 elsewhere.

## Lone work

Lone work at height or on water is forbidden. On other tasks, such as reading a data logger from a walkway, a person alone calls
the depot on arrival, every two hours, and on leaving. If a call is thirty minutes late, the depot telephones; after sixty
minutes it sends a car, and after ninety it calls the police. The trip card says where to look.

## When something goes wrong

Make the place safe, give first aid, call 112, then call the duty manager on extension 7700. Near misses are reported within 24
hours on the yellow card. In 2025 there were 41 yellow cards and one lost-time injury, a broken wrist on an icy walkway at
Munroe Quay. Cards are read aloud at the Monday meeting without names.
"""
