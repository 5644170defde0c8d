"""Contrastive learning (SimCLR): encoder and projection in a `train_step`, no labels, no `call`."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class Contrastive(keras.Model):
    def __init__(self, encoder, projection, temperature=0.2):
        super().__init__()
        self.encoder, self.projection, self.temperature = encoder, projection, temperature
        self.augmenter = keras.Sequential(
            [layers.RandomFlip("horizontal", seed=1), layers.RandomTranslation(0.15, 0.15, seed=2)], name="augmenter"
        )
        self.loss_tracker = keras.metrics.Mean(name="contrastive_loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="contrastive_accuracy")

    @property
    def metrics(self):
        return [self.loss_tracker, self.accuracy]

    def train_step(self, images):
        with tf.GradientTape() as tape:
            views = (self.augmenter(images, training=True) for _ in range(2))
            first, second = (ops.normalize(self.projection(self.encoder(view, training=True))) for view in views)
            similarities = first @ ops.transpose(second) / self.temperature
            own = ops.arange(ops.shape(images)[0])
            loss = sum(
                ops.mean(keras.losses.sparse_categorical_crossentropy(own, one, from_logits=True))
                for one in (similarities, ops.transpose(similarities))
            )
        weights = [*self.encoder.trainable_weights, *self.projection.trainable_weights]
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.loss_tracker.update_state(loss)
        self.accuracy.update_state(own, similarities)
        return {metric.name: metric.result() for metric in self.metrics}


def train(visualizer=kv.Visualizer):
    (x, _), (x_test, y_test), names = clothes()
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
        ],
        name="encoder",
    )
    projection = keras.Sequential(
        [keras.Input((32,)), layers.Dense(32, activation="relu"), layers.Dense(16)], name="projection"
    )
    model = Contrastive(encoder, projection)
    model.compile(keras.optimizers.Adam(2e-3))
    # The labels only colour what the encoder gives.
    watched = visualizer("logs/simclr", (x_test, y_test), class_names=names)
    return model, model.fit(x, epochs=4, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
