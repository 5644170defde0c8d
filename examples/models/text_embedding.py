"""Text classifier: `TextVectorization`, an embedding, a one-dimensional CNN; yes or no."""

import keras
import numpy as np
from keras import layers
from small_data import reviews

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (texts, y), (texts_test, y_test) = reviews(1000), reviews(200, seed=1)
    vectorize = layers.TextVectorization(max_tokens=60, output_sequence_length=18)
    vectorize.adapt(texts)
    x, x_test = (vectorize(one).numpy() for one in (texts, texts_test))
    inputs = keras.Input((None,), dtype="int64")
    features = layers.Dropout(0.2)(layers.Embedding(60, 16)(inputs))
    features = layers.Conv1D(24, 3, padding="valid", activation="relu")(features)
    features = layers.Dense(16, activation="relu")(layers.GlobalMaxPooling1D()(features))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(features))
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", metrics=["accuracy"])
    words, shown = np.array(vectorize.get_vocabulary()), {"training_data": (x, y), "class_names": ["bad", "good"]}
    watched = visualizer("logs/text_embedding", (x_test, y_test), display=lambda ids: words[ids], **shown)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=5, callbacks=[watched])


if __name__ == "__main__":
    train()
