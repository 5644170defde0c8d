"""What Grad-CAM's pictures say beside the maps: notes, titles and captions."""

import keras
import numpy as np
import pytest
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import explained_view
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.draw.heat import heat_maps
from kerasviz_callbacks.taps.heads import Head
from kerasviz_callbacks.taps.input_spec import padding_of
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import predictions
from kerasviz_callbacks.taps.task import Task


@pytest.fixture
def drawn(monkeypatch):
    """A function that draws a view, and returns what each picture says with its description."""

    def of(view, model):
        said = []

        def noted(inputs, maps, **given):
            said.append({"inputs": inputs, "maps": maps, **given})
            return heat_maps(inputs, maps, **given)

        monkeypatch.setattr(explained_view, "heat_maps", noted)
        images = snapshot([view], model)
        return [one | {"about": image.description} for one, image in zip(said, images, strict=True)]

    return of


def against_and_for():
    """Class 0 is what the first pixel says for it, less what the others say against it; class 1 is half of them all."""
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, use_bias=False, name="maps")])
    model.add(layers.Flatten())
    model.add(layers.Dense(2, "softmax", use_bias=False))
    weights = np.full((16, 2), [-1.0, 0.5])
    weights[0] = [1.0, 0.5]
    model.set_weights([np.ones((1, 1, 1, 1)), weights])
    x = np.ones((3, 4, 4, 1))
    x[:2, 0, 0] = 100  # the two rows of class 0, whose mean gradient is negative
    return model, x


@pytest.mark.parametrize(("method", "note"), [("grad_cam", "empty: 2 of 3"), ("hires_cam", "")])
def test_empty_maps_are_counted_and_a_flatten_that_may_cause_them_is_said(drawn, tmp_path, method, note):
    model, x = against_and_for()
    [one] = drawn(kv.GradCAM(tmp_path, x, method=method), model)
    assert one["note"].startswith(note)
    assert ("Flatten after these maps: hires_cam tells positions apart" in one["caption"]) == bool(note)
    assert ("Before a `Flatten`" in one["about"]) == bool(note)
    assert [bool(values.any()) for values in one["maps"]] == [not note, not note, True]


def test_maps_too_weak_to_be_seen_are_counted_apart_from_empty_ones(drawn, tmp_path):
    tops = np.array([1, 0.0101, 0.0099, 1e-9, 0, np.nan], "float32")  # of the map, by the linear model the input itself
    x = np.zeros((6, 4, 4, 1), "float32")
    x[:, 1, 1, 0] = tops
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, use_bias=False, name="maps")])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1))
    model.set_weights([np.ones((1, 1, 1, 1)), np.ones((1, 1)), np.zeros(1)])
    validation, _, both = drawn(kv.GradCAM(tmp_path, x, training_data=x[:3]), model)
    assert validation["note"] == "below 1% of the scale: 2 of 6   empty: 1 of 6"
    assert both["note"].startswith("below 1% of the scale: 1 of 3 | 2 of 6   empty: 0 of 3 | 1 of 6")
    assert "below 1 % of the scale" in both["about"]
    signs = drawn(kv.Attribution(tmp_path, -x, method="input_x_gradient"), model)
    assert "below 1% of the scale: 2 of 6" in signs[0]["note"], "evidence against it too"


def masks(activation):
    """Each pixel has the class of its largest colour; the maps are the colours."""
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(3, 1, use_bias=False, name="maps")])
    model.add(layers.Conv2D(3, 1, use_bias=False, activation=activation))
    model.set_weights([np.eye(3)[None, None], 5 * np.eye(3)[None, None]])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None))
    numbers = np.zeros((3, 4, 4), int)
    numbers[0, 0, :3], numbers[0, 2, :2], numbers[2, 3, 3] = 1, 2, 2
    return model, np.eye(3)[numbers].astype("float32"), numbers


@pytest.mark.parametrize(("activation", "method"), [("softmax", "grad_cam"), (None, "ablation_cam")])
def test_of_masks_the_largest_class_beside_the_background_is_explained(drawn, tmp_path, activation, method):
    model, x, numbers = masks(activation)
    names = ["ground", "circle", "square"]
    [one] = drawn(kv.GradCAM(tmp_path, (x, numbers), class_names=names, method=method), model)
    explained = np.array([1, 0, 2])  # in the second there is nothing but ground
    np.testing.assert_array_equal(one["maps"] > 0, numbers == explained[:, None, None])
    odds = np.exp(5 * x)
    shares = [
        (odds / odds.sum(-1, keepdims=True))[row][numbers[row] == k][:, k].mean() for row, k in enumerate(explained)
    ]
    assert [true for true, _ in one["titles"]] == ["circle, square", "ground", "square"]
    answers = zip(explained, shares, strict=True)
    assert [said for _, said in one["titles"]] == [f"{names[label]} {share:.2f} IoU 1.00" for label, share in answers]
    assert "the predicted class other than ground, mean over pixels" in one["caption"]
    assert one["wrong"] == [False] * 3
    about = " ".join(one["about"].split())
    assert "predicted class, or `target`, with its probability, mean over the pixels predicted as it" in about


@pytest.mark.slow
def test_masks_that_overlap_by_less_than_half_are_framed_and_counted(drawn, tmp_path):
    model, _, _ = masks("softmax")
    true, found = np.zeros((5, 4, 4), int), np.zeros((5, 4, 4), int)
    true[0, 0, :], found[0, 0, 2:] = 1, 1  # 2 of 4: just enough
    true[1, 0, :], found[1, 0, 3], found[1, 1, 3] = 1, 1, 1  # 1 of 5
    true[2, 2, 2] = 2  # nothing but ground is predicted
    found[4, 3, 3] = 1  # where there is nothing but ground
    data = (np.eye(3)[found].astype("float32"), true)
    given = {"class_names": ["ground", "circle", "square"]}
    validation, _, both = drawn(kv.GradCAM(tmp_path, data, training_data=data, **given), model)
    ends = [" ".join(said.split()[2:]) for _, said in validation["titles"]]
    assert ends == ["IoU 0.50", "IoU 0.20", "0.99", "IoU 1.00", "IoU 0.00"]
    assert validation["titles"][2] == ("square", "only ground 0.99")
    assert validation["wrong"] == [False, True, True, False, True]
    assert both["note"].startswith("IoU below 0.5: 3 of 5 | 3 of 5")
    assert validation["note"].startswith("framed: IoU below 0.5")
    [one] = drawn(kv.GradCAM(tmp_path, data, target=2, **given), model)
    assert [said.split()[0] for _, said in one["titles"]] == ["square"] * 5, "the class whose map is drawn"
    assert one["wrong"] == [False, False, True, False, False]
    assert one["titles"][2][1].endswith("IoU 0.00")
    unlabelled = np.where(true == 1, -1, true)  # which counts nowhere
    [one] = drawn(kv.GradCAM(tmp_path, (data[0], unlabelled), target=1, **given), model)
    assert ["IoU" in said for _, said in one["titles"]] == [False, True, False, False, True]


def test_overlapping_masks_from_logits_have_probabilities_of_their_own_and_are_judged_by_label(drawn, tmp_path):
    model, _, _ = masks(None)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    x, y = np.full((2, 4, 4, 3), -1.0, "float32"), np.zeros((2, 4, 4, 3))
    x[0, :, :, 0], x[0, 0, :, 1] = 0.4, 0.2  # label 1 lies within label 0
    y[0, :, :, 0], y[0, :2, :, 1] = 1, 1
    given = {"class_names": ["coat", "bag", "boot"]}
    [one] = drawn(kv.GradCAM(tmp_path, (x, y), **given), model)
    assert one["titles"][0] == ("coat, bag", f"coat {1 / (1 + np.exp(-2)):.2f} IoU 1.00")
    assert one["wrong"] == [False, False]
    [one] = drawn(kv.GradCAM(tmp_path, (x, y), target=1, **given), model)
    assert [said[-8:] for _, said in one["titles"]] == ["IoU 0.50", f"bag {1 / (1 + np.exp(5)):.2f}"]


def test_of_masks_of_one_channel_the_objects_are_explained(drawn, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, use_bias=False, name="maps")])
    model.add(layers.Conv2D(1, 1, activation="sigmoid"))
    model.set_weights([np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 2.0), np.array([-2.0])])
    x = np.zeros((2, 4, 4, 1), "float32")
    x[0, 1, 1:3, 0] = 2, 3
    [one] = drawn(kv.GradCAM(tmp_path, (x, (x > 0).astype(int)), class_names=["ground", "shape"]), model)
    share = 1 / (1 + np.exp(2))
    sure = (1 / (1 + np.exp(-2)) + 1 / (1 + np.exp(-4))) / 2  # of the two pixels of the shape, however small that is
    assert one["titles"] == [("shape", f"shape {sure:.2f} IoU 1.00"), ("ground", f"ground {1 - share:.2f} IoU 1.00")]
    np.testing.assert_array_equal(one["maps"] > 0, x[..., 0] > 0)


def test_the_probability_of_a_dense_answer_is_that_where_it_is_given_or_else_of_all_positions():
    rows = np.array(
        [
            [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3]],  # class 0 at the first two
            [[0.6, 0.0, 0.4], [0.0, 0.6, 0.4], [0.1, 0.1, 0.8]],
            [[0.55, 0.0, 0.45], [0.0, 0.55, 0.45], [0.52, 0.0, 0.48]],  # class 2 is largest in the mean, but nowhere
            [[0.6, 0.0, 0.4], [0.0, 0.6, np.nan], [0.1, 0.1, 0.8]],
        ]
    )
    found = predictions(rows, Head("softmax", 3, dense=True))
    assert found.classes[:3].tolist() == [0, 2, 2]
    assert found.confidence == pytest.approx([0.6, 0.8, 0.46, np.nan], nan_ok=True)
    signs = predictions(np.array([[[3.0], [-1.0], [1.0]]]), Head(None, 1, dense=True, of_logits=True))
    assert signs.confidence == pytest.approx([(1 / (1 + np.exp(-3)) + 1 / (1 + np.exp(-1))) / 2])


def test_one_logit_a_class_is_a_sigmoid_of_its_own_also_with_one_class_a_row():
    logits = np.array([[2.0, -1.0, 0.5], [-2.0, -1.0, -3.0]])
    wanted = 1 / (1 + np.exp(-logits.max(axis=1)))
    head = Head(None, 3, dense=False, of_logits=True)
    found = predictions(logits, head)
    assert found.classes.tolist() == [0, 1]
    assert found.confidence == pytest.approx(wanted)
    task = Task("classes", "logits", 3, independent=True)
    scores = task.answer_scores(logits, np.array([0, 0]))
    assert scores.confidence == pytest.approx(wanted)
    assert scores.true == pytest.approx(1 / (1 + np.exp([-2.0, 2.0])))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    linear = Head(None, 3, dense=False)
    for values in (logits, softmax, np.log(softmax)):
        assert predictions(values, linear).confidence == pytest.approx(softmax.max(axis=1))
        said = Task("classes", "logits", 3).answer_scores(values, np.array([0, 1]))
        assert said.confidence == pytest.approx(softmax.max(axis=1))


def pooled(head):
    """The head of the means of the channels, which are those of the input."""
    channels = head.shape[0]
    model = keras.Sequential([keras.Input((4, 4, channels)), layers.Conv2D(channels, 1, use_bias=False, name="maps")])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(head.shape[1], "sigmoid" if head.shape[1] > 1 else None, use_bias=False))
    model.set_weights([np.eye(channels)[None, None], head])
    return model


def test_several_labels_are_named_and_one_below_half_is_none(drawn, tmp_path):
    x = np.broadcast_to(np.array([[1, -2, 0.5], [-1, -3, -2]])[:, None, None], (2, 4, 4, 3))
    y = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    [one] = drawn(kv.GradCAM(tmp_path, (x, y), class_names=["bag", "boot", "coat"]), pooled(np.eye(3)))
    assert one["titles"] == [("bag, coat", "bag 0.73"), ("none", "none; highest bag 0.27")]
    assert "the label of highest probability" in one["caption"]


WRONG_LABELS = [  # what the model says of bag, boot and coat; which are true; whether the highest is wrong
    ([1, -2, 0.5], [1, 0, 1], False),
    ([1, -2, 0.5], [0, 0, 1], True),  # the second highest would be right, but is not shown
    ([-1, -3, -2], [0, 0, 0], False),  # none is predicted, and none is true
    ([-1, -3, -2], [1, 0, 0], True),
    ([1, -3, -2], [0, 0, 0], True),
    ([np.nan, -3, -2], [0, 1, 0], True),
]


def test_a_highest_label_that_is_none_of_the_true_ones_is_wrong_and_counted(drawn, tmp_path):
    said, true, wrong = zip(*WRONG_LABELS, strict=True)
    x = np.broadcast_to(np.array(said)[:, None, None], (6, 4, 4, 3))
    view = kv.GradCAM(tmp_path, (x, np.array(true, float)), training_data=(x[:3], np.array(true[:3], float)))
    validation, train, both = drawn(view, pooled(np.eye(3)))
    assert (train["wrong"], validation["wrong"]) == (list(wrong[:3]), list(wrong))
    rule = "highest label not true, or none where there are some"
    assert both["note"].startswith(f"{rule}: 1 of 3 | 4 of 6")
    assert validation["note"].startswith(f"framed: {rule}")
    assert "wrong if it is none of the true labels, or if none is predicted where there are some" in both["about"]
    [one] = drawn(kv.GradCAM(tmp_path, x), pooled(np.eye(3)))
    assert "wrong" not in one, "nothing is known to be wrong without labels"
    assert "framed" not in one["note"]


def test_of_several_labels_logits_are_probabilities_each_of_its_own(drawn, tmp_path):
    said, true, wrong = (np.array(values) for values in zip(*WRONG_LABELS, strict=True))
    model = pooled(np.eye(3))
    model.layers[-1].activation = None
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    x = np.broadcast_to(said[:, None, None], (6, 4, 4, 3))
    [one] = drawn(kv.GradCAM(tmp_path, (x, true.astype(float)), class_names=["bag", "boot", "coat"]), model)
    assert [answer for _, answer in one["titles"]] == ["bag 0.73"] * 2 + ["none; highest bag 0.27"] * 2 + [
        "bag 0.73",
        "NaN",
    ]
    assert one["wrong"] == wrong.tolist()


def test_a_quantity_is_called_the_output_with_a_true_minus_sign(drawn, tmp_path):
    x = np.broadcast_to(np.array([2.0, -0.125])[:, None, None, None], (2, 4, 4, 1))
    [one] = drawn(kv.GradCAM(tmp_path, x), pooled(np.ones((1, 1))))
    assert one["titles"] == [("", "output 2"), ("", "output \N{MINUS SIGN}0.125")]
    given = {key: value for key, value in one.items() if key != "about"}
    named = heat_maps(**given | {"titles": [("true", said) for _, said in one["titles"]]})
    assert len(named) - len(heat_maps(**given)) == 18, "no empty line where nothing is known"


def reads(ids, *, mask_zero=False):
    """A classifier of token ids whose map is the embedding of each token: of token 3 alone."""
    inputs = keras.Input(ids.shape[1:], dtype="int64")
    maps = layers.Embedding(5, 1, mask_zero=mask_zero, name="maps")(inputs)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(layers.GlobalAveragePooling1D()(maps)))
    model.set_weights([np.array([[0], [0], [0], [1], [0]]), np.array([[0, 1]])])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


IDS = np.array([[3, 1, 0, 0], [2, 3, 4, 0]])


@pytest.mark.slow
def test_texts_are_shown_by_their_words_or_ids_with_padding(drawn, tmp_path):
    words = np.array(["", "[UNK]", "not", "good", "film"])
    given = {"layer": "maps", "target": 1}
    [one] = drawn(kv.GradCAM(tmp_path, IDS, display=lambda ids: words[ids], **given), reads(IDS))
    assert one["tokens"] == [["good", "[UNK]", "", ""], ["not", "good", "film", ""]]
    assert one["caption"].endswith("\nhatched: padding, by its largest value")
    np.testing.assert_array_equal(one["maps"] > 0, IDS == 3)
    [one] = drawn(kv.GradCAM(tmp_path, IDS, **given), reads(IDS))
    assert one["tokens"] == [["3", "1", "", ""], ["2", "3", "4", ""]]
    assert one["caption"].endswith("\nnumbers: token ids, hatched: padding, by its largest value")
    long = np.tile(np.array([3, 1, 2]), (2, 20))
    long[1, 50:] = 0
    _, _, both = drawn(kv.GradCAM(tmp_path, long, training_data=long, **given), reads(long))
    assert both["caption"].endswith("\nhatched: padding")
    assert len(both["tokens"]) == 4


@pytest.mark.parametrize(
    ("ids", "mask_zero", "padded"),
    [
        (IDS, False, True),
        (IDS[:, ::-1], False, True),  # before the text
        (np.array([[0, 1, 2, 3], [0, 3, 3, 2]]), False, False),  # the token of a beginning
        (np.array([[3, 0, 2, 0], [2, 3, 4, 0]]), False, False),  # a token as any other
        (np.array([[3, 0, 2, 0], [2, 3, 4, 0]]), True, True),
        (np.array([[3, 1, 2, 4], [2, 3, 4, 1]]), True, False),
    ],
)
def test_zeros_are_padding_where_they_are_masked_or_only_fill_up_rows(ids, mask_zero, padded):
    found = padding_of(Reader(reads(ids, mask_zero=mask_zero), ids), 0, ids)
    np.testing.assert_array_equal(found, (ids == 0) & padded)
