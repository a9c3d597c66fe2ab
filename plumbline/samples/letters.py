"""Three e-mail messages: an alarm, a repair, an allowance."""

from __future__ import annotations

from plumbline.samples.blocks import Letter

SCOUR_ALARM = Letter(
    sender="Jonas Lindqvist <jonas.lindqvist@haldenbridgeworks.example>",
    to="Helen Okafor <helen.okafor@eastmark.example>",
    date="Thu, 08 Oct 2026 07:12:00 +0200",
    subject="Amber scour alarm at Ferryman's Bridge, pier 3",
    message_id="<20261008051200.4471@haldenbridgeworks.example>",
    body="""
Dear Helen,

last night at 02:26 the sonar gauge on pier 3 of Ferryman's Bridge went to amber: the bed stood 0.57 metres above the top of the
footing. The desk looked at the trace at 02:51 and saw a real change and not weed, because the second head showed the same fall
eleven minutes later.

The Stonewick gauge peaked at 2.94 metres, which is below the alert level of 3.20, so under the manual alone nobody would have
been sent. Samir Haddad was there at first light all the same. He probed eight points from the boat and found the deepest at
0.52 metres above the footing, on the upstream left corner, where a tree trunk has caught.

The bridge stays open. We ask for two things: please have your crew lift the trunk out before the weekend, since rain of 35
millimetres is forecast for Sunday; and please agree to readings every five minutes until then, which costs nothing extra.

If the bed falls to 0.2 metres the barrier closes the road by itself, and you and our duty inspector are rung at the same time.

Kind regards Jonas
""",
)

BEARING_REPLACEMENT = Letter(
    sender="Samir Haddad <samir.haddad@haldenbridgeworks.example>",
    to="Marit Solheim <marit.solheim@haldenbridgeworks.example>",
    date="Mon, 29 Jun 2026 16:40:00 +0200",
    subject="Ferryman's Bridge: bearings at abutment east are done",
    message_id="<20260629144000.2208@haldenbridgeworks.example>",
    body="""
Hello Marit,

the four elastomeric bearings at abutment east of Ferryman's Bridge were changed between 15 and 26 June, two days ahead of the
plan. The old ones had a shear offset of 81 percent of the rubber height, so they were due under section 7 of the manual.

The deck was lifted by 9 millimetres with eight jacks of 100 tonnes, always at night, with traffic held for twelve minutes at a
time. Contractor Nordahl and Sons asked 286,000 crowns and the final bill is 271,400, because we lent them the jacks.

One surprise: bearing 3 stood on a shim of folded roofing felt, surely there since 1988. It is now on the shelf in the canteen.
The new bearings come from batch EL-2640 and carry a guarantee of fifteen years. Joint gaps after the work: 42 millimetres north
and 43 south, at 17 degrees.

Next check: pencil lines and photographs on 26 September, then with the general inspection.

Samir
""",
)

TRAVEL_ALLOWANCE = Letter(
    sender="Ilse Vandermeer <ilse.vandermeer@haldenbridgeworks.example>",
    to="All staff <everyone@haldenbridgeworks.example>",
    date="Tue, 10 Mar 2026 09:05:00 +0100",
    subject="Travel: new allowances from 1 April",
    message_id="<20260310080500.0917@haldenbridgeworks.example>",
    body="""
Dear all,

from 1 April 2026 the meal allowance rises from 310 to 345 crowns for a day of more than ten hours and from 140 to 155 crowns
for a day of six to ten hours. No receipts are needed. Breakfast that comes with the hotel is deducted at 70 crowns.

Hotels: up to 1,150 crowns a night in Varnes and 980 elsewhere. If you find nothing at that price, ask me before you book and
not afterwards.

Night train to the coast: a single compartment is paid for anyone who works the next morning. You may sleep until nine; the
bridge has waited since 1992 and will wait until ten.

Private cars are paid at 4.10 crowns a kilometre, 4.60 when you carry a colleague. Bicycles are paid at 1 crown a kilometre, and
yes, Teo, this includes electric ones.

Claims reach me by the fifth of the following month. In January eleven claims came without a bridge number; without one I cannot
charge the client and the money comes out of the soup fund.

Ilse
""",
)
