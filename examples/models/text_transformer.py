"""Text classifier: token and position embeddings, a transformer encoder, two softmax classes."""

import keras
import numpy as np
from keras import layers, ops
from small_data import reviews

import kerasviz_callbacks as kv


class TokenAndPosition(layers.Layer):
    def __init__(self, length, tokens, width):
        super().__init__()
        self.tokens, self.positions = layers.Embedding(tokens, width), layers.Embedding(length, width)

    def call(self, x):
        return self.tokens(x) + self.positions(ops.arange(ops.shape(x)[-1]))


class TransformerBlock(layers.Layer):
    def __init__(self, width, heads, hidden, rate=0.1):
        super().__init__()
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.feed = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropouts = [layers.Dropout(rate) for _ in range(2)]

    def call(self, x, training=None):
        x = self.norms[0](x + self.dropouts[0](self.attention(x, x), training=training))
        return self.norms[1](x + self.dropouts[1](self.feed(x), training=training))


def train(visualizer=kv.Visualizer):
    (texts, y), (texts_test, y_test) = reviews(1000), reviews(200, seed=1)
    vectorize = layers.TextVectorization(max_tokens=60, output_sequence_length=18)
    vectorize.adapt(texts)
    x, x_test = (vectorize(one).numpy() for one in (texts, texts_test))
    inputs = keras.Input((18,), dtype="int64")
    features = TransformerBlock(16, 2, 32)(TokenAndPosition(18, 60, 16)(inputs))
    features = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(features))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(features))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    words, shown = np.array(vectorize.get_vocabulary()), {"training_data": (x, y), "class_names": ["bad", "good"]}
    watched = visualizer("logs/text_transformer", (x_test, y_test), display=lambda ids: words[ids], **shown)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
