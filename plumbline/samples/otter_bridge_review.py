"""The review of the night when a pier was nearly lost."""

from __future__ import annotations

OTTER_BRIDGE_REVIEW = """
# Review of the scour at Otter Bridge

What happened in November 2023, why we did not see it coming, and what we changed. Written by Dariusz Wolan and Helen Okafor, 29
February 2024. Nobody is blamed in this review, and nobody who spoke to us was punished.

## Summary

On 17 November 2023 the River Otter rose to 4.31 metres at Stonewick gauge, the second highest level since readings began in
1926. Otter Bridge stayed open for 31 hours while the bed around pier 2 was washed out to 1.1 metres below the top of the
footing. A farmer, Anders Myhre, felt the road dip under his milk lorry and stopped the traffic with his own vehicle. The bridge
was closed for five months.

## Timeline

- 16 November, 21:40: the gauge passes the alert level of 3.20 metres. The alert goes to a mailbox that nobody reads at night.
- 17 November, 06:15: peak of 4.31 metres. The water is 40 centimetres below the beams.
- 17 November, 09:00: a road foreman looks at the bridge from the bank and finds nothing unusual.
- 18 November, 04:50: Anders Myhre stops his lorry across both lanes and telephones the police.
- 18 November, 06:30: Aoife Brennan issues red notice number 21. Pier 2 has sunk by 62 millimetres.

## Why it happened

The footings of 1969 stand on gravel and reach only 2.4 metres below the bed. An old weir downstream, which had held the bed in
place, was removed in 2016, and nobody told the bridge owner. Our general inspection of May 2022 noted a lowered bed at pier 2
in the annex, on page 34, and not in the summary. The alert of the gauge was sent, correctly, to an address that had belonged to
a colleague who retired in 2021.

## What went well

The red notice took 48 minutes from arrival to closure order. The diver was in the water by noon. The temporary bags of stone,
640 tonnes of them, were placed within three days and held through the second flood in December.

## What we changed

- Alerts from gauges ring a telephone and are acknowledged by a person, or ring the next person after ten minutes.
- A change of bed level goes on the first page of the report, whatever the grade.
- Sonar scour gauges were installed at five bridges, the first at Otter Bridge on 11 March 2024.
- The county tells us of every work in the river within two kilometres of a bridge.
- The manual now asks for probing within 48 hours after a flood; the edition of 2020 said within two weeks.

## What it cost

Underpinning of pier 2 with twelve micropiles cost 3.9 million crowns, and the detour of 27 kilometres for five months about 1.6
million more. A scour gauge would have cost 9,600 crowns a year. Anders Myhre was given a plumb bob, and a new clutch for his
lorry.
"""
