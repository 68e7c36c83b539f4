"""How likely a language model finds sentences that differ in whom they are about.

Each probe is a form of data with its own question: `pairs` (CrowS-Pairs), `stereoset`,
`winobias`, `winogender`, `roles` (any text against its role reversal) and `pronouns` (neutral
professions). `scoring` asks the model, `forms` tells the forms apart, `audit` ties them together.
"""
