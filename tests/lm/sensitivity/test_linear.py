import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from fairaudit.exceptions import FairauditError
from fairaudit.lm.sensitivity import linear as module
from fairaudit.lm.sensitivity.linear import Linear, LinearProbe, accumulated, class_weights, linear
from fairaudit.lm.sensitivity.measured import accumulate

LINKS = ["sigmoid", "softmax", "one_vs_rest"]
TEXTS = [
    "she is a kind nurse",
    "he is a kind doctor",
    "the first lady is a doctor",
    "he is a cruel man",
    "she is cruel",
    "the man is kind to the nurse",
]
LABELS = ["good", "good", "fine", "bad", "bad", "fine"]


def random_model(link, d, seed=0):
    rng = np.random.default_rng(seed)
    scores = 1 if link == "sigmoid" else 4
    return Linear(rng.normal(size=(scores, d)), rng.normal(size=scores), link)


def jacobian(model, x, step=1e-6):
    """d f_k / d x_i by differences, shape (K, d)."""
    columns = []
    for shift in step * np.eye(len(x)):
        ends = model.probabilities(np.stack([x + shift, x - shift]))
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, axis=1)


def two_words(weights, text="kind she", texts=("kind she", "kind"), **options):
    """A probe of a model with given weights of the words of `texts`, and what it measures."""
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    model.fit(list(texts), ["a", "b"])
    model[-1].coef_, model[-1].intercept_ = np.array([weights], float), np.zeros(1)
    return LinearProbe(model, **options).measure([text])


def test_published_vector():
    x = np.array([[0.2, 0.1, -0.4]])
    a, b = np.array([[1, -2, 0.5]]), np.array([[0, 3, -1.0]])
    gender = Linear(b, np.zeros(1), "sigmoid")
    assert Linear(a, np.zeros(1), "sigmoid").probabilities(x)[0, 1] == pytest.approx(0.4501660)
    two = Linear(np.concatenate([a, -a]) / 2, np.zeros(2), "softmax")
    for task in (Linear(a, np.zeros(1), "sigmoid"), two):
        for w in (np.array([[1.0, 0]]), np.array([[0.5, 0.5]])):
            p, parts = accumulated(task, csr_array(x), w, gender, normalize=False)
            assert p.round(7).tolist() == [0.3567045]
            # 0.4950331 * 0.6651386 and 0.1237583 * 0.2217129
            np.testing.assert_allclose(parts, [0, 0.3292657, 0.0274388], atol=1e-7)


@pytest.mark.parametrize("link", LINKS)
def test_slopes_against_differences(link):
    model = random_model(link, 5)
    x = np.random.default_rng(1).normal(size=(3, 5))
    for row, slopes in zip(x, model.slopes(x), strict=True):
        np.testing.assert_allclose(slopes @ model.weights, jacobian(model, row), atol=1e-8)


@pytest.mark.parametrize("link", LINKS)
def test_a_sure_model_still_has_a_slope(link):
    weights = np.array([[60.0]]) if link == "sigmoid" else np.array([[60.0], [0.0]])
    model = Linear(weights, np.zeros(len(weights)), link)
    slopes = model.slopes(np.array([[1.0]])) @ model.weights
    # f (1 - f) with f = sigmoid(60); one against the rest: (2/3)(1/3) of the slope of sigmoid(60).
    if link == "one_vs_rest":
        assert model.probabilities(np.array([[1.0]]))[0, 0] == pytest.approx(2 / 3)
        assert slopes.max() == pytest.approx(2 / 3 * 1 / 3 * 60 * np.exp(-60), rel=1e-9)
    else:
        np.testing.assert_allclose(np.abs(slopes), 60 * np.exp(-60), rtol=1e-9)


def by_differences(f, g, x, there, w, normalize):
    """P of one record, over the features that are there."""
    v = g if isinstance(g, np.ndarray) else jacobian(g, x)[g.probabilities(x[None])[0].argmax()]
    gradients = jacobian(f, x)[:, :, None]
    return accumulate(gradients[:, there], v[there, None], w, normalize=normalize).sum()


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("about", [*LINKS, "words"])
@pytest.mark.parametrize("task", LINKS)
def test_accumulated_against_differences(task, about, normalize):
    rng = np.random.default_rng(3)
    x, d = rng.normal(size=(4, 7)), 7
    x[0, 2] = x[1, [0, 1]] = 0
    f = random_model(task, d)
    g = random_model(about, d, 9) if about != "words" else np.array([0, 1, 0, 0, 1, 1, 0.0])
    for weighting in ("predicted", "gold", "uniform"):
        w = class_weights(f.probabilities(x), weighting, [1, 0, 1, 1])
        expected = [
            by_differences(f, g, row, row != 0, own, normalize)
            for row, own in zip(x, w, strict=True)
        ]
        found, parts = accumulated(f, csr_array(x), w, g, normalize)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
        row = np.nonzero(x)[0]
        np.testing.assert_allclose(np.bincount(row, parts), found, rtol=1e-12)


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        LogisticRegression(solver="saga", max_iter=5000, random_state=0),
        SGDClassifier(loss="log_loss", random_state=0),
        OneVsRestClassifier(LogisticRegression()),
        # All links agree at the origin.
        OneVsRestClassifier(LogisticRegression(fit_intercept=False)),
    ],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_reads_linear_classifiers(classifier, classes):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % classes
    classifier.fit(x + y[:, None] * [1, -1, 0.5, 0], y)
    model = linear(classifier)
    assert model.weights.shape == (1 if classes == 2 else 3, 4)
    np.testing.assert_allclose(model.probabilities(x), classifier.predict_proba(x), atol=1e-12)


def test_reads_sparse_weights():
    x, y = np.eye(4), [0, 0, 1, 1]
    dense = LogisticRegression().fit(x, y)
    expected = dense.coef_.copy()
    assert linear(dense.sparsify()).weights.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "classifier",
    [
        SGDClassifier(loss="modified_huber", random_state=0),
        DecisionTreeClassifier(),
        LinearSVC(),
        OneVsRestClassifier(DecisionTreeClassifier()),
    ],
    ids=lambda each: type(each).__name__,
)
def test_refuses_other_classifiers(classifier):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    with pytest.raises(FairauditError, match="no fitted linear classifier"):
        linear(classifier.fit(x, y))


def test_refuses_what_is_not_fitted():
    with pytest.raises(FairauditError, match="LogisticRegression is no fitted"):
        linear(LogisticRegression())


def test_hand_worked_probe():
    # z = 2 - 4 = -2, f (1 - f) = 0.1049936; |J| = f (1 - f) (2, 4), in the order kind, she.
    slope = 0.1049935854
    done = two_words([2, -4], protected=["she"])
    assert done.sensitivity == pytest.approx([4 * slope])
    assert done.probabilities == pytest.approx(np.array([[0.8807970780, 0.1192029220]]))
    assert done.tokens == [[("kind", 0.0), ("she", pytest.approx(4 * slope))]]
    assert not done.truncated.any()
    uniform = two_words([2, -4])
    assert uniform.sensitivity == pytest.approx([3 * slope])  # (2 + 4) / 2
    assert uniform.tokens[0][0] == ("kind", pytest.approx(slope))
    summed = two_words([2, -4], normalize=False)
    assert summed.sensitivity == pytest.approx([6 * slope])


def test_a_word_that_is_not_there_does_not_count():
    slope = 1 / (1 + np.exp(-2)) / (1 + np.exp(2))  # "kind" alone: z = 2
    assert two_words([2, -4], "kind", protected=["she"]).sensitivity.tolist() == [0.0]
    assert two_words([2, -4], "kind").sensitivity == pytest.approx([2 * slope])


def test_zero_for_a_model_that_does_not_use_the_words():
    assert two_words([2, 0], protected=["she"]).sensitivity.tolist() == [0.0]


VECTORIZERS = [
    (TfidfVectorizer(ngram_range=(1, 2)),),
    (CountVectorizer(),),
    (CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
    (HashingVectorizer(n_features=64),),
    (HashingVectorizer(n_features=64, norm=None), TfidfTransformer()),
    (TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3)),),
]


@pytest.mark.parametrize("steps", VECTORIZERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_probe_against_the_pipeline(steps, classes):
    labels = LABELS if classes == 3 else ["good", "bad"] * 3
    model = make_pipeline(*steps, LogisticRegression(C=10)).fit(TEXTS, labels)
    gender = LogisticRegression().fit(model[:-1].transform(TEXTS), list("fmfmfm"))
    probe = LinearProbe(model, gender, "uniform")
    done = probe.measure(TEXTS)
    assert probe.classes == tuple(sorted(set(labels)))
    np.testing.assert_allclose(done.probabilities, model.predict_proba(TEXTS), atol=1e-12)
    np.testing.assert_allclose(probe.predict(TEXTS), done.probabilities)
    f, g = linear(model[-1]), linear(gender)
    w = np.full(classes, 1 / classes)
    # Words of one hash may cancel to 0; they are there all the same.
    rows = model[:-1].transform(TEXTS).tocsr()
    expected = [
        by_differences(f, g, x.toarray()[0], x.indices, w, normalize=True)
        for x in (rows[[i]] for i in range(6))
    ]
    np.testing.assert_allclose(done.sensitivity, expected, rtol=1e-6)
    assert all(
        sum(share for _, share in own) <= p + 1e-12
        for own, p in zip(done.tokens, done.sensitivity, strict=True)
    )
    assert len(set(map(len, done.tokens))) > 1
    assert probe.reads_words == (steps[0].analyzer == "word")


@pytest.mark.parametrize("steps", VECTORIZERS)
def test_present_features_add_up(steps):
    model = make_pipeline(*steps, LogisticRegression()).fit(TEXTS, LABELS)
    done = LinearProbe(model, ["she", "he"]).measure(TEXTS)
    shares = [sum(share for _, share in own) for own in done.tokens]
    np.testing.assert_allclose(done.sensitivity, shares, atol=1e-15)


def test_batches_do_not_matter(monkeypatch):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    probe = LinearProbe(model, ["she", "he"], "gold")
    gold = [probe.classes.index(label) for label in LABELS]
    whole = probe.measure(TEXTS, gold)
    monkeypatch.setattr(module, "_RECORDS", 4)
    parts = probe.measure(TEXTS, gold)
    np.testing.assert_array_equal(whole.sensitivity, parts.sensitivity)
    assert whole.tokens == parts.tokens
    one = probe.measure(TEXTS[5:], gold[5:])
    np.testing.assert_allclose(one.sensitivity, whole.sensitivity[5:])


def test_no_text_and_an_empty_text():
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    assert LinearProbe(model).measure([]).probabilities.shape == (0, 3)
    done = LinearProbe(model).measure(["", "words unheard"])
    assert done.sensitivity.tolist() == [0.0, 0.0]
    assert done.tokens == [[], [("words", 0.0), ("unheard", 0.0)]]


WORD_STEPS = [
    TfidfVectorizer(ngram_range=(1, 2)),
    CountVectorizer(ngram_range=(2, 3), stop_words=["kind"]),
    CountVectorizer(ngram_range=(1, 3), lowercase=False, min_df=2),
    CountVectorizer(ngram_range=(1, 2), tokenizer=str.split, token_pattern=None),
    HashingVectorizer(n_features=16, ngram_range=(1, 2)),
]


def column_of(vectorizer, name):
    """Place of a feature, by a vectoriser that takes the whole name for one word."""
    if isinstance(vectorizer, HashingVectorizer):
        whole = HashingVectorizer(n_features=vectorizer.n_features, analyzer=lambda text: [text])
        return int(whole.transform([name]).indices[0])
    return vectorizer.vocabulary_.get(name)


def split_slowly(vectorizer, model, text, weighted):
    """Each word's share: of every feature's part of P, by differences, over all its places."""
    features, step = model[:-1].transform([text]).astype(float), 1e-6
    x, present = features.toarray()[0], features.indices
    predicted = model[-1].predict_proba([x])[0].argmax()
    part = {}
    for j in present:
        ends = np.stack([x, x])
        ends[:, j] += [step, -step]
        high, low = model[-1].predict_proba(ends)[:, predicted]
        part[j] = abs(high - low) / (2 * step) * weighted[j] / weighted[present].sum()
    words = vectorizer.build_tokenizer()(vectorizer.build_preprocessor()(text))
    kept = [i for i, word in enumerate(words) if word not in (vectorizer.stop_words or ())]
    places = {j: [] for j in part}
    for i, j in itertools.combinations(range(len(kept) + 1), 2):
        if vectorizer.ngram_range[0] <= j - i <= vectorizer.ngram_range[1]:
            name = " ".join(words[k] for k in kept[i:j])
            # A feature is what the analyzer calls so, wherever that puts it.
            own = column_of(vectorizer, name)
            if own in places:
                places[own].append(kept[i:j])
    shares = np.zeros(len(words))
    for column, found in places.items():
        for place in found:
            shares[place] += part[column] / len(found) / len(place)
    return words, shares


@pytest.mark.parametrize("vectorizer", WORD_STEPS, ids=str)
def test_words_of_a_text_in_its_order(vectorizer):
    model = make_pipeline(vectorizer, LogisticRegression(C=5)).fit(TEXTS, LABELS)
    text = "She is a kind nurse, is she? The first lady is a doctor; she is."
    weighted = np.arange(1.0, model[-1].coef_.shape[1] + 1)
    found = LinearProbe(model, weighted).measure([text])
    words, shares = split_slowly(vectorizer, model, text, weighted)
    assert [word for word, _ in found.tokens[0]] == words
    np.testing.assert_allclose([share for _, share in found.tokens[0]], shares, atol=1e-8)
    assert sum(share for _, share in found.tokens[0]) == pytest.approx(found.sensitivity[0])


def test_a_word_is_one_token_however_many_features_hold_it():
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression())
    probe = LinearProbe(model.fit(TEXTS, LABELS), ["nurse"])
    (tokens,) = probe.measure(["A kind nurse is cruel"]).tokens
    assert [word for word, _ in tokens] == ["kind", "nurse", "is", "cruel"]
    assert [word for word, share in tokens if share] == ["kind", "nurse"]  # by "kind nurse"
    assert dict(tokens)["nurse"] > dict(tokens)["kind"]


@pytest.mark.parametrize("analyzer", ["char", "char_wb", str.split])
def test_other_features_as_they_are(analyzer):
    ranges = {} if callable(analyzer) else {"ngram_range": (2, 2)}
    vectorizer = CountVectorizer(analyzer=analyzer, **ranges)
    model = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, LABELS)
    probe = LinearProbe(model)
    (tokens,) = probe.measure(["she is"]).tokens
    assert not probe.reads_words
    assert {name for name, _ in tokens} <= set(model[0].get_feature_names_out())
    assert [share for _, share in tokens] == sorted((s for _, s in tokens), reverse=True)


def test_names_only_if_wanted():
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    assert LinearProbe(model, named=False).measure(TEXTS).tokens == [[]] * len(TEXTS)


def features_of(words, vectorizer):
    bag = module.Bag(make_pipeline(vectorizer).fit(TEXTS))
    names = np.array(vectorizer.get_feature_names_out())
    return set(names[bag.containing(words, len(names)) == 1])


def test_features_that_hold_a_word():
    pairs = CountVectorizer(ngram_range=(1, 2))
    assert features_of(["She"], pairs) == {"she", "she is"}
    assert features_of(["first lady"], pairs) == {"first lady"}
    assert features_of(["lady", "first lady"], pairs) == {"lady", "first lady", "lady is"}
    assert features_of(["man"], CountVectorizer()) == {"man"}
    spelt = CountVectorizer(analyzer="char", ngram_range=(3, 4))
    assert features_of(["man"], spelt) == {"man", " man", "man "}


def test_hashed_words():
    vectorizer = HashingVectorizer(n_features=2**12)
    found = module.Bag(make_pipeline(vectorizer)).containing(["Nurse", "man"], 2**12)
    expected = vectorizer.transform(["nurse man"]).indices
    assert np.flatnonzero(found).tolist() == sorted(expected.tolist())


def test_hashed_names():
    hashed = HashingVectorizer(n_features=2, analyzer=str.split)
    model = make_pipeline(hashed, LogisticRegression()).fit(TEXTS, LABELS)
    named = LinearProbe(model).measure(["kind nurse kind doctor"]).tokens[0]
    words = sorted(word for name, _ in named for word in name.split(" | "))
    assert words == ["doctor", "kind", "nurse"]


def test_weights_of_features():
    slope = 0.1049935854
    done = two_words([2, -4], protected=np.array([3.0, -1.0]))
    assert done.sensitivity == pytest.approx([(2 * 3 + 4 * 1) / 4 * slope])


def text_model(*steps):
    return make_pipeline(*steps, LogisticRegression()).fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: LinearProbe(m[-1]), "LogisticRegression reads no texts"),
        (lambda m: LinearProbe(m, ["xyzzy"]), "none of the 1 listed words is known"),
        (lambda m: LinearProbe(m, ["a", " "]), "none of the 2 listed words"),
        (lambda m: LinearProbe(m, weighting="gold").measure(TEXTS), "true labels are needed"),
        (
            lambda m: LinearProbe(m, weighting="gold").measure(TEXTS, [0, 1, 2, 3, 0, 0]),
            "none of the model's 3 classes",
        ),
        (
            lambda m: LinearProbe(m, weighting="gold").measure(TEXTS, [0, 1, 2, -1, 0, 0]),
            "none of the model's 3 classes",
        ),
        (
            lambda m: LinearProbe(m, LogisticRegression().fit(np.eye(2), [0, 1])),
            r"reads 2 features and the task model \d+",
        ),
        (
            lambda m: LinearProbe(text_model(CountVectorizer(), StandardScaler(with_mean=False))),
            "found CountVectorizer, StandardScaler",
        ),
    ],
)
def test_messages(build, message):
    with pytest.raises(FairauditError, match=message):
        build(text_model(TfidfVectorizer()))
