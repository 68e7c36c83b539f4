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
    Field("hub.loader", "Which library loads the model?", "transformers"),
    Field("hub.tags", "Tags?", "automatic-speech-recognition", several=True),
    Field("hub.base_model", "Which model was it made from?", "example/base", several=True),
    Field("hub.datasets", "Which data sets of the Hub was it trained on?", "example/calls",
          several=True),
    Field("hub.pipeline_tag", "Which task of the Hub?", "automatic-speech-recognition"),
    # --- Annex: New York City Local Law 144 ---
    Field(
        "ll144.data_source",
        "Are the data of the bias audit historical data or test data, whose are they, and of "
        "which time?",
        "Historical data of Example Ltd: all applicants of 2025.",
        several=True,
    ),
    Field(
        "ll144.data_explanation",
        "How were these data collected, and why these?",
        "All applications that the tool has scored, none left out.",
        several=True,
    ),
    Field(
        "ll144.test_data",
        "If they are test data: why were historical data not used, and how were the test data "
        "made and obtained?",
        "The data are historical.",
        several=True,
    ),
    Field(
        "ll144.categories",
        "Who said which sex and which race or ethnicity applicants have? Categories must not be "
        "inferred.",
        "Applicants themselves, in a voluntary form.",
        several=True,
    ),
    Field(
        "ll144.excluded",
        "If categories of less than 2 % of the data are left out of impact ratios: why?",
        "Their rates would rest on too few applicants.",
        several=True,
    ),
    Field(
        "ll144.distribution_date",
        "When did the employer or employment agency begin to use the tool (distribution date)?",
        "2026-05-01",
    ),
    # --- Annex: Annex IV of the EU AI Act ---
    Field(
        "eu_ai_act.interaction",
        "1(b) How does the system interact with hardware, software or other AI systems?",
        "It is called over HTTP and calls no other system.",
        several=True,
    ),
    Field(
        "eu_ai_act.software",
        "1(c) Which versions of software or firmware does it need, and how are they updated?",
        "Linux and Python 3.12; updates come with each release.",
        several=True,
    ),
    Field(
        "eu_ai_act.forms",
        "1(d) In which forms is it placed on the market or put into service?",
        "As a web service.",
        several=True,
    ),
    Field(
        "eu_ai_act.hardware",
        "1(e) On which hardware is it meant to run?",
        "Servers with 8 cores.",
        several=True,
    ),
    Field(
        "eu_ai_act.product",
        "1(f) If it is a part of products: where are their pictures, markings and layout?",
        "It is no part of a product.",
        several=True,
    ),
    Field(
        "eu_ai_act.interface",
        "1(g) What does the deployer's user interface look like?",
        "A list of calls, each with its transcript.",
        several=True,
    ),
    Field(
        "eu_ai_act.instructions",
        "1(h) Where are the instructions for use?",
        "https://example.org/guide",
        several=True,
    ),
    Field(
        "eu_ai_act.development",
        "2(a) By which methods and steps was it developed, and which systems or tools of others "
        "were used?",
        "Trained from scratch with an open toolkit.",
        several=True,
    ),
    Field(
        "eu_ai_act.architecture",
        "2(c) How do its parts fit together, and which computing resources made and tested it?",
        "One model behind a queue; 200 hours of eight accelerators.",
        several=True,
    ),
    Field(
        "eu_ai_act.predetermined_changes",
        "2(f) Which changes of the system and its performance were determined beforehand?",
        "None.",
        several=True,
    ),
    Field(
        "eu_ai_act.unintended_outcomes",
        "3 Which unintended outcomes, and which risks to health, safety, fundamental rights and "
        "of discrimination are foreseeable?",
        "Words that nobody said; more of them for accents that are rare in the training data.",
        several=True,
    ),
    Field(
        "eu_ai_act.metrics",
        "4 Why are these metrics the right ones for this system?",
        "Users read the words, so every wrong word counts alike.",
        several=True,
    ),
    Field(
        "eu_ai_act.risk_management",
        "5 What is the risk management system (Article 9)?",
        "Risks are listed and rated before each release.",
        several=True,
    ),
    Field(
        "eu_ai_act.changes",
        "6 What has the provider changed during the system's life?",
        "2.3.0: a new punctuation model.",
        several=True,
    ),
    Field(
        "eu_ai_act.standards",
        "7 Which harmonised standards were applied, in full or in part, and where none was, how "
        "are the requirements met?",
        "None; see the risk management system.",
        several=True,
    ),
    Field(
        "eu_ai_act.declaration",
        "8 Where is the copy of the EU declaration of conformity (Article 47)?",
        "https://example.org/declaration",
        several=True,
    ),
    Field(
        "eu_ai_act.monitoring",
        "9 How is performance evaluated after the system was placed on the market, and what is the "
        "monitoring plan (Article 72)?",
        "Every month on 500 new calls; the plan is plan.pdf.",
        several=True,
    ),
    # --- Annex: NIST AI RMF, MEASURE ---
    Field(
        "nist_rmf.tools",
        "MEASURE 2.1: which other test sets, metrics and tools were used?",
        "None but those of the audits.",
        several=True,
    ),
    Field(
        "nist_rmf.privacy_risk",
        "MEASURE 2.10: which risks to privacy did MAP identify, and how were they examined?",
        "That a voice is recognised; recordings are deleted after transcription.",
        several=True,
    ),
    Field(
        "nist_rmf.harms",
        "MEASURE 2.11: which harms to whom did MAP identify?",
        "Callers with an accent are misunderstood more often.",
        several=True,
    ),
    Field(
        "nist_rmf.systemic_bias",
        "Systemic bias (SP 1270): which habits of institutions may the data or the use carry on?",
        "Calls come from customers alone, who are younger than the public.",
        several=True,
    ),
    Field(
        "nist_rmf.statistical_bias",
        "Statistical and computational bias (SP 1270): where may samples or the model be off, "
        "beyond what the audits measure?",
        "Recordings of landlines are missing.",
        several=True,
    ),
    Field(
        "nist_rmf.human_bias",
        "Human bias (SP 1270): whose judgement enters the data or the use, and how is it checked?",
        "Transcribers know few of the accents; a third person settles.",
        several=True,
    ),
    Field(
        "nist_rmf.effectiveness",
        "MEASURE 2.13: how was it evaluated whether these metrics and tests do what they should?",
        "Complaints were compared with what the metrics had said.",
        several=True,
    ),
)  # fmt: skip
