"""Questions from many walks of life, few of which any one collection answers: what a release learns to say "nothing on that" from."""

from __future__ import annotations

QUESTIONS: tuple[str, ...] = tuple(
    """
how do I renew a passport for a child
best recipe for sourdough bread with rye flour
who won the football world cup in 1998
how to change the oil filter of a motorcycle
what is the capital gains tax rate for a rented flat
what to do about a failing hard disk
when do hotels in Lisbon let guests check in
how to train a puppy to sit
the plot of the opera Tosca
which guitar chords are used in flamenco
how to knit a cable stitch scarf
cheap flights from Berlin to Tokyo in March
javascript promise does not resolve in a loop
how to repot an orchid without breaking its roots
rules for offside in ice hockey
who painted the ceiling of the Sistine chapel
difference between a mortgage and a home equity loan
how to set up a wireless printer
what year did the Berlin wall fall
how to get red wine stains out of a carpet
container restarts again and again after a deployment
best hiking trails near Zermatt
how many players are in a cricket team
how do bees make wax
what does the Magna Carta say about juries
how to brew espresso with a moka pot
minimum wage in New Zealand
how to tune a violin
what causes the northern lights
how to apply for unemployment benefits online
the history of the Ottoman navy
how to unclog a kitchen sink
best chess opening against the Sicilian defence
how to write a haiku
which planets have rings
how to install solar panels on a flat roof
what is a good pace for a first marathon
how to fold a crane from paper
why does Hamlet delay his revenge
how to file a trademark application
how to clean a cast iron pan
which language is spoken in Brazil
how does a submarine dive
who built the pyramids of Giza
how to groom a poodle
how strong is the yen against the dollar
how to build a raised garden bed
who wrote the symphony called Eroica
what is the speed limit on German motorways
how to make candles from beeswax
when is the best time to prune apple trees
how to season a wok
what does a double bass cost
tickets for the underground in London
how to sharpen a plane iron
how heavy is a blue whale
which glaze suits stoneware fired at cone six
how to pitch a tent in strong wind
what is the difference between a crocodile and an alligator
how to score a game of bowling
side effects of vaccinating kittens
how to write a letter of resignation
famous paintings in the Prado
how long does it take to sail across the Atlantic
how to split an inheritance among siblings
what is umami
how does a heat pump save money in winter
who invented the printing press
how to read knitting charts
do I need a visa for Vietnam
how to lay bricks in Flemish bond
what makes a black hole
best beaches in Sardinia for children
how to play blackjack
how to fix a flat bicycle tyre
what are the duties of a notary
how to grow tomatoes on a balcony
the causes of the French revolution
how to transfer photos from a phone to a laptop
how does a jury reach a verdict
what to feed a hedgehog
how to choose running shoes
what is the tallest mountain in Africa
how to write unit tests for a web page
how to cancel a gym membership
how do tides work
which cheese melts best on pizza
how to become a pilot
what is the meaning of the tarot card the Tower
how to descale a kettle
who commanded the fleet at Trafalgar
what is the offside trap
how to insulate an attic
how to teach a child to ride a bicycle
which birds sing at night
how much should a wedding cost
how to bleed a radiator
when was the violin first made
how to store wine at home
what is the longest river in Asia
how to make a podcast sound better
how to win at backgammon
how to check a used car before buying it
what are the colours of the flag of Kenya
how to dye wool with madder
what does an orchestra conductor do
how to prevent moss on a lawn
how many moons does Saturn have
how to dance the tango
what are the ingredients of pesto
how to remove a stripped screw
who may vote in a Swiss referendum
how do volcanoes erupt
how to braid hair
""".strip().splitlines()
)
