"""Sentences of constructions that running text has too few of, for training.

Each is a frame of English grammar filled from word lists: object complements ("elected them
chair"), two objects ("taught me chess"), participles after verbs of perception ("saw him leaving"),
independent subjects ("mine was late"). The pronoun is one that names its slot.
"""

from __future__ import annotations

import numpy as np

_WORDS = {
    "elect": "elected appointed named made crowned voted declared proclaimed called christened "
    "dubbed nominated considered thought elects names makes calls",
    "role": "president chair captain leader director manager queen governor editor secretary "
    "champion head professor mayor heir king minister chief judge partner spokesman champion",
    "leave": "left made found rendered considered kept drove struck leaves makes kept set believed "
    "thought left",
    "state": "speechless homeless unconscious happy angry sick paralyzed alone dead alive unable "
    "famous rich awake mad free busy breathless penniless helpless motionless sad proud ill "
    "uncomfortable nervous responsible guilty safe calm",
    "teach": "taught gave sent offered brought paid told showed lent granted promised sold fed "
    "cost earned won allowed served bought teaches gives sends brings teaching giving sending "
    "allowing guaranteed wrote asked",
    "stuff": "music money food water permission information advice flowers letters lessons french "
    "help credit access work tea hope medicine news stories shelter bread clothes books drugs "
    "evidence english mathematics physics guitar drawing cash lunch dinner breakfast instructions "
    "messages thousands hundreds millions trouble attention support power time",
    "see": "saw caught heard watched found noticed filmed spotted kept left remembered sees shows "
    "showed imagined photographed pictured discovered seen have had started got sent",
    "ing": "leaving going reading singing running crying walking standing sitting talking working "
    "playing waiting trying making doing being taking writing dancing sleeping fighting getting "
    "becoming hiding smoking drinking laughing speaking lying trembling wondering holding looking "
    "carrying wearing stealing driving climbing smiling changing feeding painting",
    "tail": "in on at with for from to and the under about until when because by . , ; again",
    "frequency": "weekly daily monthly twice once often first best most yesterday today tomorrow "
    "tonight later well enough greatly deeply badly instantly immediately openly publicly",
    "met": "paid met saw visited called knew loved phoned helped hurt beat thanked hit served "
    "wrote sees calls pays visits trust miss",
    "let": "let made helped saw heard watched help make see have let watch bid",
    "do": "go leave sing run cry win walk speak sleep work play choose get find escape overcome "
    "think feel look understand stay finish start build carry open move become fall die dance",
    "prep": "of with by about without for from despite after in",
    "be": "was is were are had has hasn't isn't wasn't did came went won lost arrived looked "
    "would could should might does ended began cost broke stood lay fell sold took grew remained",
    "rest": "late first new better broken blue red the a not in on so never been already still "
    "the same worse older small ready there",
    "noun": "phone mother car house friend boss coat dog brother teacher bag office wife hand job "
    "mind eyes name career debut school team father life work own best old new young first second",
    "adverb": "then now once still very ever newly long recently increasingly most more three two "
    "then-new equally otherwise",
    "person": "boyfriend wife husband manager employer rival friends home city house boss teacher "
    "partner allies famous popular beautiful small large important",
    "number": "two three four five ten twenty fifty 50 100 200 one several another half both more",
    "things": "pounds dollars hours times books letters brothers sons friends songs years",
    "help": "helped made saw let watched heard make help see let had",
    "push": "push carry clean build open close fill find choose finish pack wash move fix sell "
    "lift drop write read paint cook steal change start catch cut break plan",
    "refer": "referred sent took brought drove introduced led invited returned sentenced treated "
    "charged arrested praised cleared paid fined blamed tested",
    "state2": "gone dead away asleep ill here there out back safe around abroad home inside",
    "adjective": "old new burnt fresh clean warm good bad small big early late red cheap public "
    "extra free strong cold private young last great poor dry useful long short famous quiet",
    "walk": "answer cough walk laugh run cry work sleep dance dream talk look call smile visit "
    "fall fight study reply move attack love jump return kiss drive drink rise shout whistle swim",
    "believe": "believe explain admired liked trust forget heard discussed remembered mocked "
    "ignored enjoyed recorded described imitated missed understand doubt loved",
    "body": "ears eyes hands legs feet heart head knees stomach blood skin face hair fingers voice",
    "done": "cleared done cut painted stolen broken repaired closed searched cleaned moved washed "
    "removed paid sold taken finished sent",
    "ring": "ring ache burn hurt bleed shake water itch swell freeze stop grow turn look feel",
    "kin": "mother father brother sister wife husband son daughter cousin neighbour friend "
    "boss landlord uncle aunt grandmother dog lawyer doctor teacher partner employer",
    "gave": "gave handed paid sent told showed offered bought owed promised lent fed taught",
    "ordinal": "first second third fourth fifth sixth seventh tenth twentieth 20th last next only",
    "honorific": "Excellency Honour Majesty Highness Lordship Grace Holiness Worship Royal",
    "favourite": "favourite idea fault turn choice brother's sister's mother's father's doing job "
    "house car problem own decision name",
    "all": "all best worst utmost left right most",
    "half": "half all both some most many one two several",
    "compare": "than to like with as from against beside over behind",
    "did": "did was is were has had came went sold won lost showed hasn't isn't wasn't doesn't "
    "started broke failed cost stood fell grew could would will looked seemed arrived proved",
    "became": "is was became remained seemed were stayed",
    "by": "by upon from at alone now for when if until before after in again too already as "
    "because forever all and",
    "lucky": "lucky poor silly clever dear good not only just even",
    "what": "what when why how where whether if that who because",
    "odd": "so-called then once-mighty late every own former two-year-old self-made long-lost "
    "ill-fated much-loved little-known record-breaking other very",
    "said": "asked called told answered paid kissed thanked warned begged",
    "name": "Anna Peter Maria Chen Omar London Paris Smith Ivan Lucy Texas Monday Christmas Yusuf",
    "ly": "quietly warmly gently slowly carefully secretly sharply kindly firmly coldly politely",
    "take": "left took lost found brought gave sold made told kept sent paid wore called "
    "taught read used knew loved joined finished heard wrote cleaned",
}  # fmt: skip
_FRAMES = {
    "object": (
        "the board {elect} __ {role} {tail} it",
        "it {leave} __ {state} {tail} it",
        "she {teach} __ {stuff} {tail} it",
        "we {see} __ {ing} {tail} it",
        "they {met} __ {frequency} {tail} it",
        "they {let} __ {do} {tail} it",
        "it ended {prep} __ {ing} {tail} it",
        "it has __ {ing} {tail} it",
        "she {teach} __ {number} {things} {tail} it",
        "it took __ {number} {things} {tail} it",
        "they told __ {name} {be} {rest}",
        "they {met} __ {ly} {tail} it",
        "they {met} __ and {name} {tail} it",
        "they {met} __ and the {person} {tail} it",
        "between __ and {name} it",
        "they {met} __ in {name}",
        "they {met} __ last {things}",
        "those who {met} __ {frequency} {tail} it",
        "they {met} __ best {tail} it",
        "they {help} __ {push} the {noun} {tail} it",
        "they {help} __ {push} {stuff} {tail} it",
        "they {help} __ be {state} {tail} it",
        "they {refer} __ to {stuff} {tail} it",
        "they {refer} __ {prep} {stuff} {tail} it",
        "{said} __ {what} it",
        "she {teach} __ {adjective} {stuff} {tail} it",
        "she {teach} __ the {noun} {tail} it",
        "they {elect} __ \u201c{adjective}\u201d {tail} it",
        "they {elect} __ a \u201c{role}\u201d {tail} it",
        "they {elect} __ {role}, a post",
        "they {elect} __ {role} of {name}",
        "{lucky} __! We",
        "Not you. __. We",
        "__? We {met} the {person}",
        "better {compare} __ in the {noun}",
        "with __ {state2}, it",
        "with __ {ing} {tail} it",
        "for __ to {push} the {noun}",
        "all of __ {be} {rest}",
        "they {met} __ and my {kin}",
        "the {noun} {leave} __ {state}; the",
        "the {noun} {leave} __ {adverb} {state} {tail} it",
        "they {met} __ {ly} {tail} the",
        "it cost __ {stuff} {tail} it",
        "it cost __ the {noun}",
        "they {gave} __ {stuff} {prep} {stuff}",
    ),
    "determiner": (
        "he {take} __ {noun} {tail} it",
        "he {teach} __ {noun} {tail} it",
        "he {take} __ {adverb} {person} {tail} it",
        "it came {prep} __ {adverb} {person} {tail} it",
        "it came {prep} __ {noun} {tail} it",
        "we {see} __ {noun} {ing} {tail} it",
        "she wore __, {aside}, {adverb} {person}",
        "it is __, {aside}, __ {noun}",
        "they gave __ all {tail} it",
        "it came {prep} __ {number} {things} {tail} it",
        "they {met} __ {number} {things} {tail} it",
        "they {met} __ {ly} {state} {noun} {tail} it",
        "they {met} __ {name} {noun} {tail} it",
        "it came {prep} __ and {name}'s {noun}",
        "__ {noun} {be} {rest}",
        "and __ {noun} {be} {rest}",
        "__ {odd} {noun} {be} {rest}",
        "__ {odd} \u201c{noun}\u201d {be} {rest}",
        "__ \u201c{noun} {prep} {name}\u201d {be} {rest}",
        "__ {adverb} {adjective} {noun} {be} {rest}",
        "__ {number} {things} {be} {rest}",
        "__ {ordinal} {noun} {be} {rest}",
        "__ {kin}'s {noun} {be} {rest}",
        "__ {kin}'s {kin}'s {noun} {be} {rest}",
        "__ {ing} {be} {rest}",
        "__ {ing} so {ly} {be} {rest}",
        "__ being {state} {be} {rest}",
        "__ {name} {noun} {be} {rest}",
        "__ {adjective} {name} {noun} {be} {rest}",
        "__ {honorific} {be} {rest}",
        "they complained about __ {adjective} {ing} {tail} it",
        "they {believe} __ {walk} {tail} it",
        "they didn't {believe} __ {walk} {tail} it",
        "it made __ {body} {ring} {tail} it",
        "they want __ {noun} {done} {tail} it",
        "they had __ {noun} {done} {tail} it",
        "they {gave} __ {kin} a {noun}",
        "they {gave} __ {kin} the {noun}",
        "they {gave} __ {kin} {number} {things}",
        "they {gave} __ {adjective} {kin} {stuff}",
        "they {gave} __ {kin}'s {kin} {stuff}",
        "a {person} of __ {kin}'s {be} {rest}",
        "that {became} __ {favourite} {tail} it",
        "is it __ {favourite} {tail} it",
        "she gave __ {all} {tail} it",
        "she signs with __ {all} {tail} it",
        "{half} of __ {noun} {be} {rest}",
        "they {met} __ {half} {things} {tail} it",
        "all __ {noun} {be} {rest}",
        "half __ {noun} {be} {rest}",
        "the {role}, __ {kin}, {be} {rest}",
        "\u2018__ what?\u2019 said the {role}",
        "it {prep} __ {ordinal} {noun} {tail} it",
        "to __ {adjective} surprise the {noun}",
        "it was __ {adverb} {adjective} and {adverb} {adjective} {noun}",
        "they defended __ {adverb} and {ly} {done} {noun}",
        "she {take} __ {frequency} {noun} {tail} it",
        "she {take} __ {walk} {prep} the {noun}",
        "he wore __, {aside}, {adjective} {noun}",
        "he wore __, {aside}, {noun}",
        "I {take} __, {aside}, __ {noun}",
    ),
    "independent": (
        "__ {be} {rest}. We",
        "but __ {be} {rest}. We",
        "and __ {be} {rest}. We",
        "while __ {be} {rest}. We",
        "The house was __ {prep} right",
        "it is __ {tail} it",
        "yours and __ {be} {rest}",
        "put it next to __ {tail} it",
        "a {noun} of __ {be} {rest}",
        "like __ {tail} it",
        "he took hold of __ and left",
        "into __ and left",
        "the {noun} {became} __ {by} the {noun}",
        "the {noun} {became} __ {by} {name}",
        "the {noun} {became} __ {by} {stuff}",
        "the {noun} {became} __ to {push}",
        "the {noun}'s __, is it",
        "the {noun} {became} __, {by} the {noun}",
        "we {take} our {things} and they {take} __. We",
        "they {take} your {noun} and I {take} __. We",
        "mine is old, but it is better {compare} __. We",
        "we {take} my {noun} {compare} __. We",
        "as well as __. We",
        "{compare} __, my {noun} {be} {rest}",
        "your {noun} and __ {did} {rest}",
        "between your {noun} and __ {did} {rest}",
        "yours and __ {did} in the",
        "__ {did} the {adjective} {noun}",
        "__ {did} a {adjective} {noun}",
        "__ {did} been {rest}",
        "but __ {did} {rest}",
        "whereas __ {did} the {noun}",
        "because __ {did} {rest}",
        "your {noun} was red, __ the {adjective}",
        "she spoke of it, and they of __. We",
        "that {noun} of __ {did} {rest}",
        "no {noun} of __ {did} {rest}",
        "no fault of __, it",
        "not one {noun} of __ {did} the",
        "whose {noun}? __. We",
        "it's __! We",
        "is this __? We",
        "are these {things} __ or the {kin}'s",
        "mine, yours, __: it",
        "__, not yours, was the {noun}",
        "she put her hand into __ and said",
        "every {noun} but __ {did} {rest}",
        "before __ did. We",
    ),
}
_FORMS = {
    "object": ("me", "us", "them", "him"),
    "determiner": ("my", "our", "their", "his"),
    "independent": ("mine", "ours", "theirs", "hers"),
}


def sentences(number: int) -> str:
    """That many sentences of each frame, one a line; always the same ones."""
    rng = np.random.default_rng(0)
    words = {name: text.split() for name, text in _WORDS.items()}
    words["aside"] = ["by then", "now", "at the time", "um", "well", "in fact", "of course"]
    lines = []
    for slot, frames in _FRAMES.items():
        for frame in frames:
            for _ in range(number):
                filled = {name: _drawn(rng, several) for name, several in words.items()}
                form = _drawn(rng, _FORMS[slot])
                line = frame.format(**filled).replace("__", form).replace(" .", ".")
                lines.append(line[:1].upper() + line[1:].replace(" ,", ",").replace(" ;", ";"))
    return ".\n\n".join(lines) + "."


def _drawn(rng: np.random.Generator, several: list[str] | tuple[str, ...]) -> str:
    return several[int(rng.integers(len(several)))]
