"""What only the owner of a service knows: the questions that a card asks of service.toml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A question to the owner.

    Attributes
    ----------
    key : str
        Table and key of service.toml: ``use.intended``.
    asked : str
        The question, as a sentence that ends with a full stop or a question mark.
    example : str
        An answer to start from.
    several : bool
        Whether it is usually answered by a list.
    """

    key: str
    asked: str
    example: str = ""
    several: bool = False


#: What the cards ask, in the order of service.toml.
FIELDS = (
    # --- The service and who answers for it -------------------------------------------------
    Field("service.name", "What is the service called?", "Call transcripts"),
    Field("service.version", "Which version was audited?", "2.3.0"),
    Field("service.release", "When was this version released?", "2026-03-01"),
    Field("service.provider", "Who provides it?", "Example Ltd"),
    Field("service.contact", "Whom do questions and complaints go to?", "fairness@example.org"),
    Field("service.licence", "Under which licence or terms may it be used?", "Apache-2.0"),
    Field("service.url", "Where is it described?", "https://example.org/transcripts"),
    # --- Overview ---------------------------------------------------------------------------
    Field(
        "overview.what",
        "What does the service do, and what does it give back for which input?",
        "It turns recorded calls in English into text.",
        several=True,
    ),
    Field(
        "overview.ground_truth",
        "How is what it gives back compared with the truth, and who made the truth?",
        "Two people transcribed every call; a third settled where they differed.",
        several=True,
    ),
    Field(
        "overview.intrinsic_variation",
        "Which differences between inputs must it make use of to do its task?",
        "Which words are said.",
        several=True,
    ),
    Field(
        "overview.confounding_variation",
        "Which differences between inputs must it ignore?",
        "Accent, voice, loudness, device, noise.",
        several=True,
    ),
    # --- Use --------------------------------------------------------------------------------
    Field("use.intended", "What is it meant for, and by whom?", "Searching calls.", several=True),
    Field(
        "use.unsupported",
        "What must it not be used for?",
        "Decisions about people without a person who checks them.",
        several=True,
    ),
    Field("use.inputs", "Which inputs does it support?", "Mono audio of 16 kHz.", several=True),
    Field("use.languages", "Which languages does it support?", "English", several=True),
    Field(
        "use.oversight",
        "Who can check, correct and stop what it does, and how?",
        "Agents see the transcript and can correct it.",
        several=True,
    ),
    Field(
        "use.limitations",
        "Where is it known to do badly?",
        "Several people who speak at once.",
        several=True,
    ),
    # --- Design -----------------------------------------------------------------------------
    Field(
        "design.machine_learning",
        "Which model does it use, and which other parts?",
        "A conformer of 120 million parameters, and a punctuation model.",
        several=True,
    ),
    Field(
        "design.expectations",
        "Name two applications that differ, and what performance to expect in each.",
        "Dictation in an office: few errors. Calls from a street: several times as many.",
        several=True,
    ),
    Field(
        "design.methodology",
        "How else is it tested before a release?",
        "On eight further sets of recordings, by device and by length.",
        several=True,
    ),
    Field(
        "design.fairness",
        "What is the goal for groups of people, and what is done to reach it?",
        "The worst group shall be within 5 points of the best; we collect where it is not.",
        several=True,
    ),
    Field(
        "design.explainability",
        "What can a user learn about why it gave a result?",
        "A confidence for each word.",
        several=True,
    ),
    Field(
        "design.robustness",
        "Which disturbances was it made or tested to withstand?",
        "Noise of a street down to 10 dB.",
        several=True,
    ),
    Field(
        "design.privacy",
        "What becomes of users' data?",
        "Audio is deleted after it was transcribed.",
        several=True,
    ),
    Field(
        "design.security",
        "How is it kept from misuse and attack?",
        "Callers are authenticated; every access is logged.",
        several=True,
    ),
    Field(
        "design.transparency",
        "Who learns that and how it is used, and from where?",
        "Callers hear it before the call begins.",
        several=True,
    ),
    Field(
        "design.governance",
        "Who decides on releases, and by which process?",
        "The release board; it reads this card.",
        several=True,
    ),
    # --- Deployment -------------------------------------------------------------------------
    Field(
        "deployment.practices",
        "What else should those who deploy it do?",
        "Show transcripts of a low confidence as such.",
        several=True,
    ),
    Field("further.links", "Where is more to read?", "https://example.org/guide", several=True),
    # --- Data -------------------------------------------------------------------------------
    Field(
        "data.description",
        "What are the evaluation data, and whom do they stand for?",
        "Calls of one week, drawn at random from all callers.",
        several=True,
    ),
    Field("data.source", "Where do the evaluation data come from?", "Own calls.", several=True),
    Field(
        "data.consent",
        "On which ground may they and the groups in them be used?",
        "Callers agreed, and told us their accent themselves.",
        several=True,
    ),
    Field(
        "training.data",
        "What was it trained on?",
        "10,000 hours of calls of 2020 to 2024.",
        several=True,
    ),
    Field(
        "training.procedure",
        "How was it trained?",
        "From scratch, for 40 epochs.",
        several=True,
    ),
    Field(
        "ethics.considerations",
        "What may it do to people, and what is done about it?",
        "Errors may be read as words that nobody said; agents are told so.",
        several=True,
    ),
    # --- Review -----------------------------------------------------------------------------
    Field("review.auditor", "Who made or reviewed the audit?", "A. Reviewer, Example Audits"),
    Field(
        "review.independent",
        "Is this auditor independent of those who made, sell or use the service, and why?",
        "Yes: no share in Example Ltd, and no other work for it.",
    ),
    Field("review.signed", "Who signs this report?", "A. Reviewer"),
    Field("review.date", "When was it signed?", "2026-04-01"),
    # --- Metadata of a model card -----------------------------------------------------------
    Field("hub.license", "Licence as the Hugging Face Hub names it?", "apache-2.0"),
    Field("hub.language", "Languages by their codes?", "en", several=True),
    Field("hub.library_name", "Which library loads the model?", "transformers"),
    Field("hub.tags", "Tags?", "automatic-speech-recognition", several=True),
    Field("hub.base_model", "Which model was it made from?", "example/base", several=True),
    Field("hub.datasets", "Which data sets of the Hub was it trained on?", "example/calls",
          several=True),
    Field("hub.pipeline_tag", "Which task of the Hub?", "automatic-speech-recognition"),
)  # fmt: skip
