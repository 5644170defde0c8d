"""Triplet loss: an embedding in a model with its own `train_step`; anchors, positives and negatives."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class Triplets(keras.Model):
    def __init__(self, embedding, margin=0.5):
        super().__init__()
        self.embedding, self.margin = embedding, margin
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def call(self, inputs):
        anchor, positive, negative = (self.embedding(one) for one in inputs)
        near, far = (ops.sum((anchor - other) ** 2, -1) for other in (positive, negative))
        return near, far

    def train_step(self, data):
        with tf.GradientTape() as tape:
            near, far = self(data, training=True)
            loss = ops.mean(ops.maximum(near - far + self.margin, 0))
        gradients = tape.gradient(loss, self.embedding.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.embedding.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def triplets(x, y, seed):
    rng = np.random.default_rng(seed)
    rows = [(rng.choice(np.flatnonzero(y == one)), rng.choice(np.flatnonzero(y != one))) for one in y]
    positive, negative = np.transpose(rows)
    return x, x[positive], x[negative]


def train(visualizer=kv.Visualizer):
    training, test, _ = clothes(1500, 300)
    x, x_test = triplets(*training, 0), triplets(*test, 1)
    embedding = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(16),
            layers.UnitNormalization(),
        ],
        name="embedding",
    )
    model = Triplets(embedding)
    model.compile(keras.optimizers.Adam(1e-3))
    batches = tf.data.Dataset.from_tensor_slices(x).shuffle(1500, seed=1).batch(64)
    # Of three elements of a data set, Keras and the views take the first for x and the second for y, unless told.
    probe = tf.data.Dataset.from_tensor_slices(x_test).batch(64).map(lambda *inputs: (inputs,))
    watched = visualizer("logs/triplet", probe)
    return model, model.fit(batches, epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
