"""VQ-VAE: codes are the nearest entries of a codebook; a `train_step` round a functional autoencoder, no `call`."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class VectorQuantizer(layers.Layer):
    def __init__(self, entries, width, beta=0.25, **options):
        super().__init__(**options)
        self.entries, self.width, self.beta = entries, width, beta

    def build(self, shape):
        self.codebook = self.add_weight(shape=(self.entries, self.width), initializer="uniform", name="codebook")

    def call(self, x):
        rows = ops.reshape(x, (-1, self.width))
        gaps = ops.sum(self.codebook**2, axis=1) - 2 * rows @ ops.transpose(self.codebook)
        nearest = ops.reshape(ops.take(self.codebook, ops.argmin(gaps, axis=1), axis=0), ops.shape(x))
        self.add_loss(self.beta * ops.mean((ops.stop_gradient(nearest) - x) ** 2))
        self.add_loss(ops.mean((nearest - ops.stop_gradient(x)) ** 2))
        return x + ops.stop_gradient(nearest - x)


class Trainer(keras.Model):
    def __init__(self, vq_vae, variance):
        super().__init__()
        self.vq_vae, self.variance = vq_vae, variance
        self.tracker = keras.metrics.Mean(name="reconstruction_loss")

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, x):
        with tf.GradientTape() as tape:
            reconstruction = ops.mean((x - self.vq_vae(x, training=True)) ** 2) / self.variance
            loss = reconstruction + sum(self.vq_vae.losses)
        weights = self.vq_vae.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.tracker.update_state(reconstruction)
        return {"reconstruction_loss": self.tracker.result()}


def train(visualizer=kv.Visualizer):
    (x, _), (x_test, y_test), names = clothes()
    images, codes = keras.Input((28, 28, 1)), keras.Input((7, 7, 8))
    features = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(images)
    features = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(features)
    encoder = keras.Model(images, layers.Conv2D(8, 1)(features), name="encoder")
    features = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(codes)
    features = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(features)
    decoder = keras.Model(codes, layers.Conv2DTranspose(1, 3, padding="same")(features), name="decoder")
    quantized = VectorQuantizer(32, 8, name="quantizer")(encoder(images))
    model = Trainer(keras.Model(images, decoder(quantized), name="vq_vae"), float(x.var()))
    model.compile(keras.optimizers.Adam(2e-3))
    # The labels only colour the codes.
    watched = visualizer("logs/vq_vae", (x_test, y_test), class_names=names)
    return model, model.fit(x, epochs=5, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
