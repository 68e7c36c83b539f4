from fairaudit.lm.swap import Lexicon, linear, train_linear
from fairaudit.lm.swap.swapper import split

CANONICAL = Lexicon.default().canonical


def test_the_end_of_a_text():
    for text in ("her", "Her!", " his", "\n\nhis\n\n"):
        assert len(linear.context(split(text), 1, CANONICAL)) == 31


def test_a_context_does_not_show_gender():
    ours, theirs = split("He gave his king's son his."), split("She gave her queen's daughter her.")
    assert linear.context(ours, 5, CANONICAL) == linear.context(theirs, 5, CANONICAL)


def test_log_odds():
    for text, against in (("We met her.", True), ("We met her house.", False)):
        assert (linear.log_odds("her", split(text), 5, CANONICAL) > 0) == against


def test_a_small_training_learns_and_repeats_itself():
    text = " ".join(
        ["I saw him. We saw them. They met me. It is mine. It is ours."] * 20
        + ["It is my house. They met my friend. We saw our dog. It is their car."] * 20
    )
    found = list(train_linear.examples(text, 1.0, 0.2, 0.5, CANONICAL))
    forms = train_linear.OBJECTS, train_linear.DETERMINERS
    weights, again = (train_linear.train(found, *forms, 50) for _ in range(2))
    assert weights == again
    for context, positive in (("We met her.", True), ("We met her house.", False)):
        features = linear.context(split(context), 5, CANONICAL)
        assert (weights[0] + sum(weights.get(f, 0) for f in features) > 0) == positive


def test_classes_of_a_small_text():
    tokens = ["the", "cat", "sat", ".", "the", "dog", "sat", "."] * 50
    label = train_linear.classes([(tokens, 1.0)], 5, 3)
    cat, dog, the = (label[linear.fingerprint(word)] for word in ("cat", "dog", "the"))
    assert cat == dog != the
