"""Classifier trained by a loop of one's own, which calls the hooks of the callback by hand."""

import keras
import tensorflow as tf
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv

EPOCHS = 3


def train(visualizer=kv.Visualizer):
    (x, y), test, names = clothes()
    training = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000, seed=1).batch(64)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, activation="relu"),
            layers.Conv2D(32, 5, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    optimizer, loss = keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    watched = visualizer("logs/custom_loop", test, class_names=names)
    watched.set_model(model)
    watched.set_params({"epochs": EPOCHS})
    watched.on_train_begin()
    history = {"loss": []}
    for epoch in range(EPOCHS):
        watched.on_epoch_begin(epoch)
        losses = [float(step(images, labels)) for images, labels in training]
        history["loss"].append(sum(losses) / len(losses))
        watched.on_epoch_end(epoch, {"loss": history["loss"][-1]})
    watched.on_train_end()
    return model, history


if __name__ == "__main__":
    train()
