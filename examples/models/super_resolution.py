"""Super-resolution: pictures of half the width and height are enlarged by sub-pixel convolution."""

import keras
from keras import layers, ops
from small_data import scenes

import kerasviz_callbacks as kv


class PixelShuffle(layers.Layer):
    """Turn `(n, h, w, 4 c)` into `(n, 2 h, 2 w, c)`."""

    def call(self, x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, height, width, 2, 2, channels // 4))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, channels // 4))


def train(visualizer=kv.Visualizer):
    large, large_test = (scenes(n, 48, seed=seed)["images"] for n, seed in ((400, 0), (64, 1)))
    small, small_test = (x.reshape(len(x), 24, 2, 24, 2, 3).mean(axis=(2, 4)) for x in (large, large_test))
    inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(32, 5, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = PixelShuffle()(layers.Conv2D(12, 3, padding="same")(x))
    model = keras.Model(inputs, layers.add([x, layers.UpSampling2D(interpolation="bilinear")(inputs)]))
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    watched = visualizer("logs/super_resolution", (small_test, large_test), training_data=(small, large))
    given = {"validation_data": (small_test, large_test), "epochs": 6, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(small, large, **given)


if __name__ == "__main__":
    train()
