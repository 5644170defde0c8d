"""Classifier fed by a `PyDataset` that makes its batches, with sample weights; a depthwise network."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


class Batches(keras.utils.PyDataset):
    """Pictures with noise of their own, those of the first class with half the weight."""

    def __init__(self, x, y, size=64, **options):
        super().__init__(**options)
        self.x, self.y, self.size = x, y, size

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        x, y = self.x[rows], self.y[rows]
        noise = np.random.default_rng(index).normal(0, 0.05, x.shape)
        return (x + noise).astype("float32"), y, np.where(y == 0, 0.5, 1).astype("float32")


def train(visualizer=kv.Visualizer):
    training, test, names = clothes()
    training, validation = Batches(*training), Batches(*test)
    model = keras.Sequential([layers.Conv2D(16, 3, strides=2, activation="relu")])
    for filters in (32, 48):
        model.add(layers.DepthwiseConv2D(3, padding="same", activation="relu"))
        model.add(layers.Conv2D(filters, 1, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    watched = visualizer("logs/pydataset", validation, training_data=training, class_names=names)
    return model, model.fit(training, validation_data=validation, epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
