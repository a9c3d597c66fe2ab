"""The agreement with the largest client: fees, times, liability, records."""

from __future__ import annotations

FRAMEWORK_AGREEMENT = """
# Framework Agreement for Bridge Inspection Services

Agreement number ECRD-2024-117 between the Eastmark County Roads Department, called the Client, and Halden Bridge Works, called
the Engineer. Signed in Varnes on 22 January 2024 by Helen Okafor for the Client and by Marit Solheim for the Engineer.

## 1 Term

This agreement runs for four years from 1 February 2024. It may be extended once, by two years, if both parties agree in writing
not later than 31 July 2027. Either party may end it with six months' notice, or at once if the other is insolvent.

## 2 Services

The Engineer inspects the nine bridges of the Client that are listed in the register, at the intervals of the Engineer's own
manual. Special inspections are ordered by telephone and confirmed in writing within one working day. The Engineer begins a
special inspection after a flood not later than 24 hours after the order, which is stricter than the manual, and the stricter
rule holds.

## 3 Fees

| Service | Unit | Fee in crowns |
|---|---|---|
| General inspection, up to 50 metres | bridge | 9,800 |
| General inspection, over 50 metres | bridge | 16,400 |
| Principal inspection | field day of a team of three | 31,200 |
| Special inspection, call-out | event | 12,500 |
| Diving team | day | 27,900 |
| Drone survey | flight day | 14,300 |
| Tiltmeter, supply and first year of readings | pair | 18,500 |

Fees are adjusted each February by the construction cost index, by no more than four percent. Travel is included within 80
kilometres of Varnes; beyond that 6.20 crowns a kilometre is paid for one vehicle. Work ordered between 20:00 and 06:00 or on a
public holiday carries a surcharge of 60 percent.

## 4 Payment

Invoices are sent monthly and are due within 30 days. A late payment bears interest at eight percent a year. The Client may hold
back ten percent of the fee for a principal inspection until the signed report is delivered.

## 5 Delay

If a signed report is more than ten working days late, the Client may deduct two percent of the fee for each further week, up to
a fifth of the fee. Days lost to weather beyond the limits of the safety handbook do not count, provided that they were notified
on the same day.

## 6 Liability and insurance

The Engineer's liability is limited to five million crowns for each event and ten million in any one year. The limit does not
apply to injury, to intent, or to failure to issue a red notice for a danger that the inspector had seen. The Engineer keeps
professional indemnity insurance with Baltic Mutual, policy number BM-88-20417, for as long as the agreement runs and six years
after.

## 7 Records and ownership

Reports belong to the Client. Raw measurements and photographs belong to the Engineer, who keeps them for twenty years and hands
over copies within five working days of a request. Photographs in which people or number plates can be recognised are made
unrecognisable before delivery. Nothing about an open red notice is told to the press by the Engineer.

## 8 Disputes

The parties first try to settle a dispute between Helen Okafor and Marit Solheim within fifteen working days. If that fails, the
matter goes to an adjudicator named by the Institute of Structural Engineers in Varnes, and only then to the court of Eastmark.
"""
