"""How drones are flown around bridges."""

from __future__ import annotations

DRONE_PROCEDURE = """
# Drone procedure

Procedure P-17, revision 4, 18 February 2026. Owner: Teo Marangoni, chief pilot.

## Before the flight

A flight is planned by the pilot and read by the inspector who wants the pictures, so that the list of shots comes from the
report and not from the view. The pilot asks the airfield at Varnes for leave when the bridge lies within five kilometres of its
runway, at least three working days ahead. Neighbours within 50 metres get a card in the letter box. Between 1 March and 31 July
the county ecologist is asked about nesting birds, and a nest within 30 metres means that the flight waits.

- Two batteries for each planned quarter of an hour, and one more.
- Propellers without nicks; a nicked propeller is broken in two and thrown away.
- Return height set to 15 metres above the highest cable.
- The magnetic compass is not to be trusted near steel; positioning by camera is switched on under decks.

## Limits

The drone flies at a mean wind of up to 8 metres a second and gusts of up to 10, no nearer than two metres to the structure, and
always in sight of the pilot or of an observer who speaks with the pilot by radio. Under a deck the observer is compulsory. Rain
ends the flight. So does a battery at 30 percent, because cold air takes the rest without warning. Revision 3 allowed 10 metres
a second; it was lowered after the loss at Skerry Bridge on 6 October 2025, when a gust took the old machine into the sound.

## Pictures that can be measured

Overlap is 80 percent along the line and 60 percent across. Distance to the surface is four metres, which gives about one
millimetre for each picture point; for cracks go to two metres. Four coded targets are fixed where the total station can see
them. A model without targets is a nice picture and is not used for measurement.

## After the flight

Pictures are copied twice before the machine is packed. The flight log, with minutes, batteries and anything odd, goes into the
logbook the same evening. Faces and number plates are blurred by the tool on the office server before anyone outside the team
looks. Pictures from a red notice are locked and nobody deletes any of them, however bad.

## If it goes wrong

Loss of radio: the machine climbs to the return height and comes home by itself; the pilot keeps hands off for 20 seconds.
Battery fire: sand, never water, and thirty metres of distance. A fly-away is reported to the airfield tower at once, on +00 555
0188, and to the authority within 72 hours.
"""
