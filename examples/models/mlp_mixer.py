"""MLP-Mixer: pictures cut into rows of patches beforehand, `(n, 49, 16)`; layers mix positions and channels."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def mixer(x, hidden=64):
    positions, channels = x.shape[1:]
    turned = layers.Permute((2, 1))(layers.LayerNormalization()(x))
    turned = layers.Dense(positions)(layers.Dense(hidden, activation="gelu")(turned))
    x = layers.add([x, layers.Permute((2, 1))(turned)])
    mixed = layers.Dense(hidden, activation="gelu")(layers.LayerNormalization()(x))
    return layers.add([x, layers.Dense(channels)(mixed)])


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    x, x_test = (images.reshape(-1, 7, 4, 7, 4).transpose(0, 1, 3, 2, 4).reshape(-1, 49, 16) for images in (x, x_test))
    patches = keras.Input((49, 16))
    features = mixer(mixer(layers.Dense(32)(patches)))
    features = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(features))
    model = keras.Model(patches, layers.Dense(10, activation="softmax")(features))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/mlp_mixer", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
