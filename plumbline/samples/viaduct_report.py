"""The principal inspection report of the oldest bridge in the register."""

from __future__ import annotations

VIADUCT_REPORT = """
# Principal Inspection Report: Quarrel Gorge Viaduct

Bridge B-001, owner Eastmark County Roads Department. Field work from 8 to 19 September 2025. Lead inspector Aoife Brennan,
second reader Dariusz Wolan. Report number PI-2025-031, signed 14 October 2025.

## Summary

The viaduct is graded 3, fair. It is safe for its present limit of 26 tonnes. Three findings matter. Water is getting through
the deck above arches 4, 5 and 6 and is washing lime out of the barrels. The parapet on the downstream side leans outwards over
a length of nine metres. Pier 7 leans towards the north by one part in 460, which is inside the reporting limit but more than
the one part in 510 that was found in 2019.

We recommend new waterproofing over arches 4 to 6 in the dry season of 2027, at about 410,000 crowns; rebuilding of the leaning
parapet before the winter of 2026, at about 65,000 crowns; and a pair of tiltmeters on pier 7 at once, at 18,500 crowns.

## The structure

The viaduct was opened on 2 June 1887 for the Eastmark mineral railway and has carried the county road since 1964. Eleven
semicircular arches of grey granite span 16.8 metres each; the total length is 214.6 metres and the road stands 38 metres above
the river at pier 6. The engineer was Robert Tarn, and his drawings, redrawn on linen in 1911, are kept in the county archive
under number QG/4. The spandrels are filled with slag from the Quarrel ironworks, which holds water like a sponge and explains
most of what follows.

## Access and weather

All soffits were reached by rope. Eleven rope days were planned and thirteen were used, since two were lost to wind above the
limit of the safety handbook. A colony of pale crag bats roosts in the drain of pier 3; work there was done after 15 September,
as the county ecologist asked, and no lamp was pointed into the drain.

## Findings by element

| Element | Grade | Finding |
|---|---|---|
| Arch barrels 1 to 3 | 2 | isolated open joints, repointing in 2012 is holding |
| Arch barrels 4 to 6 | 3 | wet soffits, stalactites up to 240 millimetres, mortar loss to a depth of 60 millimetres |
| Arch barrels 7 to 11 | 2 | dry, one dropped voussoir wedged in arch 9, unchanged since 1998 |
| Pier 7 | 3 | lean of 82 millimetres in 38 metres, increasing slowly |
| Downstream parapet | 4 | outward lean of 45 millimetres over nine metres between arches 8 and 9 |
| Drainage | 4 | six of eleven outlets blocked, two by roots |

## Water in the barrels

Flow was measured with a funnel under the worst stalactite in arch 5: 1.2 litres an hour, two days after 14 millimetres of rain.
Dye put into the gully above pier 5 came out at the soffit of arch 5 after seven hours. The lime in the water suggests a loss of
about 30 kilograms of binder a year. At this rate the arch has decades, but frost acts on wet joints long before that, and we
saw the first split stones at the haunch.

## The lean of pier 7

Lean was read with the optical plummet on three mornings before the sun reached the pier. The mean offset was 82 millimetres to
the north over a height of 37.7 metres. In 2019 the same method gave 74 millimetres. The difference is larger than the accuracy
of the method, which we put at 2 millimetres. Growth is eleven percent in six years. The likely cause is softening of the shale
under the north edge of the footing, fed by the blocked drain above; two boreholes of 12 metres would tell.

## Works and dates

- Clear all deck outlets before the end of November 2025. The owner's own crew can do this.
- Install two tiltmeters on pier 7, one at the springing and one at 5 metres above ground, and read them hourly.
- Rebuild nine metres of the downstream parapet with stainless dowels before the winter of 2026.
- Waterproof arches 4 to 6 in the dry season of 2027, under a lane closure of about seven weeks.
- Bring the next principal inspection forward from September 2031 to September 2029 because of pier 7.
"""
