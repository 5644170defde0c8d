"""Several outputs and losses: the class of a picture and its mean brightness, weighted."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    y, y_test = (
        {"kind": classes, "brightness": images.mean(axis=(1, 2))} for images, classes in ((x, y), (x_test, y_test))
    )
    inputs = keras.Input((28, 28, 1))
    features = layers.Conv2D(16, 3, strides=2, activation="relu")(inputs)
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(32, 3, strides=2, activation="relu")(features))
    kind = layers.Dense(10, activation="softmax", name="kind")(features)
    model = keras.Model(inputs, {"kind": kind, "brightness": layers.Dense(1, name="brightness")(features)})
    model.compile(
        keras.optimizers.Adam(5e-3),
        loss={"kind": "sparse_categorical_crossentropy", "brightness": "mse"},
        loss_weights={"kind": 1.0, "brightness": 10.0},
        metrics={"kind": ["accuracy"], "brightness": ["mae"]},
    )
    watched = visualizer("logs/several_outputs", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
