"""Next frames of a clip: stacked ConvLSTM layers, the target is the clip one frame later."""

import keras
from keras import layers
from small_data import clips

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    frames, frames_test = clips(160)[0], clips(32, seed=1)[0]
    x, y, x_test, y_test = frames[:, :-1], frames[:, 1:], frames_test[:, :-1], frames_test[:, 1:]
    model = keras.Sequential(
        [
            keras.Input((None, 20, 20, 1)),
            layers.ConvLSTM2D(8, 5, padding="same", return_sequences=True, activation="relu"),
            layers.ConvLSTM2D(8, 3, padding="same", return_sequences=True, activation="relu"),
            layers.Conv3D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    watched = visualizer("logs/next_frame", (x_test, y_test), training_data=(x, y))
    given = {"validation_data": (x_test, y_test), "epochs": 4, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
