"""Text: a seeded template grammar of small talk.  Everything here is our own; no third-party text is used.

A line is one phrase of 1 to 5 seconds without inner commas where it can be helped, so that a phrase's end is heard.
"""

from dataclasses import dataclass

import numpy as np

PEOPLE = "my sister|my brother|an old friend|our neighbour|my boss|the new guy|my cousin|my mother|a woman at work"
PEOPLE += "|the bus driver|my grandfather|the dentist|my best friend|a man from the bank|our teacher|the whole family"
PLACES = "the market|the beach|the office|a small bar by the river|the station|the museum|the park|the mountains"
PLACES += "|the library|the harbour|a farm near the border|the old bridge|the airport|the kitchen|a tiny village"
THINGS = "a blue bicycle|the broken lamp|a bag of apples|my favourite book|a pair of boots|the big map|an old piano"
THINGS += "|a box of photographs|the front door key|a cup of coffee|some fresh bread|the wrong bottle|a paper boat"
THINGS += "|my warm winter coat|a bowl of soup|the garden chair|a wooden spoon|the remote control|a purple umbrella"
PAST = "bought|found|lost|borrowed|painted|forgot|repaired|carried|dropped|moved|gave away|picked up|almost broke"
BASE = "buy|find|borrow|paint|repair|carry|move|keep|sell|clean|photograph|wrap up|bring back"
TIMES = "yesterday|last week|on Friday|this morning|two days ago|before lunch|after the movie|in the summer"
TIMES += "|a month ago|around midnight|in the middle of May|before the storm"
ADJ = "beautiful|pretty boring|simply amazing|a bit strange|very expensive|perfectly fine|impossible|much too loud"
ADJ += "|wonderful|terrible|surprisingly cheap|warm and quiet|better than before|completely empty"
FEEL = "happy|worried|tired|proud|hopeful|bored|calm|surprised|embarrassed|bothered|optimistic|comfortable"
EVENTS = "the meeting|the party|the big game|the concert|the wedding|my exam|the long trip|the job interview|the race"
TOPICS = "the weather|public transport|home cooking|modern music|football|space travel|video games|gardening"
TOPICS += "|old movies|baking bread|mountain climbing|politics|board games|wild animals|computers"
NUMBERS = "two|three|five|seven|eleven|twelve|fifteen|twenty four|forty|sixty five|ninety nine|one hundred"
NUMBERS += "|two hundred and fifty|a thousand|seven million"
UNITS = "people|minutes|pounds|miles|steps|apples|points|books|pages|months|boxes|bottles"
FOODS = "apple pie|mushroom soup|peppermint tea|a plum jam|roast beef|a simple omelette|pumpkin bread|a ham sandwich"
ANIMALS = "a brown bear|two puppies|a sheep|an enormous spider|a baby elephant|a white rabbit|our black cat"

SLOTS: dict[str, list[str]] = {
    name: text.split("|")
    for name, text in {
        "who": PEOPLE, "place": PLACES, "thing": THINGS, "past": PAST, "base": BASE, "when": TIMES, "adj": ADJ,
        "feel": FEEL, "event": EVENTS, "topic": TOPICS, "n": NUMBERS, "unit": UNITS, "food": FOODS, "animal": ANIMALS,
    }.items()
}  # fmt: skip

STATEMENTS = """I {past} {thing} {when}.
{who} wants to {base} {thing}.
We went to {place} {when}.
I think {topic} is {adj}.
I really like {topic}.
{who} was at {place} {when}.
It took about {n} minutes to get to {place}.
Maybe we should {base} {thing}.
I am a little {feel} about {event}.
My room is full of {unit} from {place}.
They moved {thing} to {place}.
That place was {adj}.
I have been thinking about {event} all week.
Most people talk about {topic} these days.
I would rather stay at home and make {food}.
The problem is that {thing} belongs to {who}.
Somebody {past} {thing} at {place}.
You can see {place} from my window.
I never know what to say about {topic}.
It weighs more than {n} pounds.
There were about {n} {unit} at {event}.
I promised to {base} {thing} before {event}.
My plan for tomorrow is very simple.
We saw {animal} near {place}.
I made {food} for {who}.
The shop by {place} sells {food}.
Both of us felt {feel} the whole time.
I should call {who} about {event}.
{who} told me something about {topic}.
It was {adj} from the beginning.
The food at {event} was {adj}.
I hope it will be {adj}.
My phone number ends with {n}.
We waited for {n} minutes in front of {place}.
I bet {who} would be {feel} about it."""

QUESTIONS = """Did you {base} {thing}?
Have you ever been to {place}?
What do you think about {topic}?
Are you {feel} about {event}?
How was {event}?
Do you know {who} from {place}?
When did you {base} {thing}?
Why would {who} {base} {thing}?
Would you like some {food}?
Is it far from {place}?
How many {unit} did you see?
Could you help me {base} {thing}?
Were you at {place} {when}?
What happened to {thing}?
Do you want to go to {place}?
Who told you about {event}?
Can we talk about {topic}?
What would you do with {n} {unit}?
Are you free {when}?
Isn't that {adj}?"""

NARRATIVES = """So {when} I was on my way to {place}.
And then {who} came up to me with {thing}.
Nobody believed me at first.
At some point we heard {animal} behind the door.
I opened it very slowly.
It turned out to be {thing}.
We laughed about it for {n} minutes.
After that everybody went home.
And the best part was still to come.
Suddenly the lights went out.
By the time we got to {place} it was empty.
I had {n} {unit} in my bag.
That is how I met {who}.
So I simply put {thing} on the table.
And {who} became really {feel}.
In the end it was all {adj}."""

REACTIONS = """That sounds {adj}.
I can imagine that.
Oh my goodness.
That is so funny.
I am sorry to hear that.
That makes sense.
Good for you.
I did not know that.
What a pity.
That must have been {adj}.
You are probably right.
I felt the same about {topic}.
Wow, that is a lot.
I am happy for you.
No, I don't believe it.
Absolutely.
Me too.
Of course.
That is a very good point.
I suppose so.
It depends on {who}.
Not at all.
Yes, of course I did.
No, not yet.
Maybe a bit.
Probably more than {n}."""

FILLERS = "Well|So|Um|You know|I mean|Actually|Honestly|Anyway|Hmm|But|And".split("|")
BACKCHANNELS = "Mhm.|Yeah.|Right.|Oh really?|Okay.|Uh huh.|I see.|Sure.|Wow.|Oh no.|Nice.|Yep.|True.|Oh.|Exactly."
BACKCHANNELS += "|Really?|Great.|No way!|Of course.|Hmm."
KINDS: dict[str, list[str]] = {
    "statement": STATEMENTS.split("\n"),
    "question": QUESTIONS.split("\n"),
    "narrative": NARRATIVES.split("\n"),
    "reaction": REACTIONS.split("\n"),
    "backchannel": BACKCHANNELS.split("|"),
}
WARM = ("Oh really?", "Wow.", "Nice.", "Great.", "No way!", "Exactly.")  # backchannels that come with a smile or brows
P_FILLER = 0.14  # own choice: a filler opens about every seventh statement


@dataclass(frozen=True)
class Line:
    """One phrase to be spoken: its text and kind (statement, question, narrative, reaction, backchannel)."""

    text: str
    kind: str


def fill(template: str, rng: np.random.Generator) -> str:
    """The template with a word drawn for each of its slots."""
    while "{" in template:
        start, end = template.index("{"), template.index("}")
        word = str(rng.choice(SLOTS[template[start + 1 : end]]))
        template = template[:start] + word + template[end + 1 :]
    return template


def line(kind: str, rng: np.random.Generator) -> Line:
    """A line of that kind; the same generator state gives the same line."""
    template = fill(str(rng.choice(KINDS[kind])), rng)
    if kind in ("statement", "narrative") and rng.random() < P_FILLER:
        rest = template if template.startswith(("I ", "I'")) else template[0].lower() + template[1:]
        template = f"{rng.choice(FILLERS)} {rest}"
    return Line(template[0].upper() + template[1:], kind)


def turn_lines(n_phrases: int, rng: np.random.Generator, answering: str | None) -> list[Line]:
    """The lines of one turn: a reaction first after the other's question or story, then talk, sometimes a question."""
    lines = []
    if answering is not None and rng.random() < (0.7 if answering == "question" else 0.35):
        lines.append(line("reaction", rng))
    topic = "narrative" if n_phrases >= 3 and rng.random() < 0.5 else "statement"
    while len(lines) < n_phrases:
        lines.append(line(topic if rng.random() < 0.8 else "statement", rng))
    if (n_phrases > 1 and rng.random() < 0.4) or rng.random() < 0.15:
        lines[-1] = line("question", rng)
    return lines[:n_phrases]
