"""Requests, orders and other short lines of version 2.  Everything here is our own; no third-party text is used.

Version 1's lines begin with "I", "the" or "so" and hardly ever with p, t or k, so that a model which has heard nothing
else does not expect lips to part on the first sound of a phrase (docs/decisions.md, 63).  These do.
"""

import numpy as np

from visavis.data.corpus.text import Line, fill

REQUESTS = """Please {base} {thing}.
Please wait for {who} at {place}.
Please tell me more about {event}.
Please sit down.
Please be back {when}.
Put {thing} on the table.
Put that down.
Pass me {thing}.
Pass the soup, please.
Pick up {thing} on your way.
Pick one.
Pull the door, it sticks.
Push harder.
Press the button.
Pay {who} for {thing}.
Pour me some {food}.
Pack {thing} for {event}.
Park behind {place}.
Paint it in another colour.
Play something slow.
Point at it for me.
Promise me to {base} {thing}.
Prepare for {event}.
Pretend that you never saw {animal}.
People were {feel} about {event}.
Perhaps {who} can {base} it.
Part of it was {adj}.
Plenty of {unit} are left.
Pardon me for a second.
Peter said that it was {adj}.
Patience is not what I am known for.
Paper is cheaper than plastic.
Pages {n} and {n} are missing.
Possibly {when}.
Pretty soon it will be {adj}.
Poor thing.
Perfect.
Take {thing} to {place}.
Take your time.
Take {n} of them.
Tell {who} about {thing}.
Tell me about {event}.
Turn the music down.
Turn around.
Try to {base} {thing} {when}.
Try again.
Talk to {who} first.
Ten {unit} are enough.
Two of us went to {place}.
Tomorrow I will {base} {thing}.
Time is up.
Tea or coffee?
Today everybody is {feel}.
Keep {thing} for {who}.
Keep quiet for {n} minutes.
Keep going.
Come to {place} with me.
Come in.
Call {who} before {event}.
Call me back.
Carry {thing} to {place}.
Catch {thing} if you can.
Cut it in two.
Count to {n}.
Careful with {thing}.
Close the window.
Coffee is ready.
Cats like {food}, I think.
Kids talk about {topic} all day.
Quite {adj}, really.
Bring {thing} back {when}.
Be careful with {animal}.
Bread and butter would be {adj}.
Both of them.
Between {n} and {n}.
Make {food} for {n} people.
Mind the step.
More than {n} {unit}.
Mostly {topic} and {topic}.
Give {who} {thing}.
Go to {place} {when}.
Do not {base} {thing}.
Don't worry about {event}.
Let {who} {base} it.
Look at {animal}.
Stop it.
Stay here for {n} minutes.
Show me {thing}.
Find {thing} for me.
Forget about {event}.
{n} {unit}.
{n}.
{topic}, of course.""".split("\n")


def request(rng: np.random.Generator) -> Line:
    """A short line, one to the partner mostly; the performer treats it as a statement."""
    text = fill(str(rng.choice(REQUESTS)), rng)
    return Line(text[0].upper() + text[1:], "statement")
