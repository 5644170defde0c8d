"""Autoregressive model (PixelCNN): each pixel from those above and to the left, by masked convolutions."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


class MaskedConvolution(layers.Conv2D):
    """A convolution that sees no pixel after its own, and its own only where `sees_own`."""

    def __init__(self, *args, sees_own, **options):
        super().__init__(*args, padding="same", **options)
        self.sees_own = sees_own

    def build(self, shape):
        super().build(shape)
        rows, columns = self.kernel_size
        mask = np.zeros((rows, columns, 1, 1), "float32")
        mask[: rows // 2], mask[rows // 2, : columns // 2 + self.sees_own] = 1, 1
        self.mask = mask

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * self.mask)


def train(visualizer=kv.Visualizer):
    (x, _), (x_test, _), _ = clothes()
    x, x_test = ((images > 0.33).astype("float32") for images in (x, x_test))
    images = keras.Input((28, 28, 1))
    features = MaskedConvolution(32, 7, activation="relu", sees_own=False)(images)
    for _ in range(2):
        deeper = layers.Conv2D(16, 1, activation="relu")(features)
        deeper = MaskedConvolution(16, 3, activation="relu", sees_own=True)(deeper)
        features = layers.add([features, layers.Conv2D(32, 1, activation="relu")(deeper)])
    model = keras.Model(images, layers.Conv2D(1, 1, activation="sigmoid")(features))
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    watched = visualizer("logs/pixel_cnn", (x_test, x_test), training_data=(x, x))
    return model, model.fit(x, x, validation_data=(x_test, x_test), epochs=3, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
