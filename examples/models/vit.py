"""Vision transformer: patches as tokens with positions, four heads, global mean."""

import keras
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class Positions(layers.Layer):
    def build(self, shape):
        self.embedding = self.add_weight(shape=shape[1:], initializer="random_normal", name="embedding")

    def call(self, x):
        return x + self.embedding


def block(x, width=32, heads=4):
    normed = layers.LayerNormalization(epsilon=1e-6)(x)
    x = layers.add([x, layers.MultiHeadAttention(heads, width // heads, dropout=0.1)(normed, normed)])
    hidden = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
    return layers.add([x, layers.Dense(width)(hidden)])


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    images = keras.Input((28, 28, 1))
    patches = layers.Lambda(lambda pixels: ops.image.extract_patches(pixels, 4), output_shape=(7, 7, 16))(images)
    tokens = Positions()(layers.Dense(32)(layers.Reshape((49, 16))(patches)))
    for _ in range(2):
        tokens = block(tokens)
    features = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(tokens))
    model = keras.Model(images, layers.Dense(10)(layers.Dropout(0.2)(features)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(3e-3, weight_decay=1e-4), loss, metrics=["accuracy"])
    watched = visualizer("logs/vit", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
