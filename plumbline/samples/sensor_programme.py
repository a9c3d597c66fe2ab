"""Slides on the sensors that watch bridges between inspections."""

from __future__ import annotations

SENSOR_PROGRAMME = """
# Watching Between Visits: the Sensor Programme

Jonas Lindqvist, monitoring lead. Shown to the owners' meeting in Varnes on 5 May 2026.

## Why we hang sensors on bridges

- A principal inspection sees a bridge for two weeks in 312.
- Lean, scour and bearing movement grow between visits, and often within one night.
- Sensors do not replace inspectors; they tell us when to send one.

## What is installed today

| Sensor | Number | Bridges | Reading |
|---|---|---|---|
| Tiltmeter | 26 | 9 | hourly |
| Sonar scour gauge | 7 | 5 | every 15 minutes |
| Crack gauge | 31 | 6 | hourly |
| Bearing displacement sensor | 12 | 3 | every 10 minutes |
| Weather mast | 2 | 2 | every minute |

## Alarm levels

- Amber tilt alarm: a change of 0.4 millimetres per metre within 24 hours, after correction for temperature.
- Red tilt alarm: 1.0 millimetre per metre, or amber on two sensors of the same pier.
- Amber scour alarm: bed level 0.6 metres above the top of the footing.
- Red scour alarm: bed level 0.2 metres above the top of the footing. The road is closed by remote barrier.

## Who answers an alarm

- Amber alarms go to the monitoring desk, which looks at the trace within two hours, day or night.
- Red alarms ring the duty inspector and the owner's control room at the same time.
- The duty inspector is on site within 90 minutes of a red alarm. In 2025 the median was 58 minutes.

## What the first three years taught us

- Of 214 amber alarms, 171 were sunshine: south faces warm first and the pier bends away from the sun.
- The temperature model that was introduced in April 2025 cut false amber alarms by 83 percent.
- Batteries last 26 months in practice and not the five years that the maker promises.
- Sonar heads are fouled by weed in August; they are cleaned on the first Monday of July and of September.

## What a bridge costs a year

- A pier with two tiltmeters: 4,100 crowns, readings and battery changes included.
- A scour gauge: 9,600 crowns, of which half is the boat.
- The barrier that closes a road by itself: 7,200 crowns, paid by the owner.

## Next

- Pier 7 of the Quarrel Gorge Viaduct: two tiltmeters live since 3 December 2025; drift so far 0.03 millimetres per metre.
- Fibre optic strain on the cables of the Sankt Olaf footbridge, trial from September 2026.
- Public page with live bed levels, if the county agrees, early in 2027.
"""
