"""Classifier: a subclassed `Model` with its own `call`, labels one-hot and smoothed, early stopping."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


class Classifier(keras.Model):
    def __init__(self, classes):
        super().__init__()
        self.convolutions = [layers.Conv2D(n, 3, strides=2, padding="same", activation="gelu") for n in (16, 32, 64)]
        self.pool, self.dropout = layers.GlobalMaxPooling2D(), layers.Dropout(0.3)
        self.classify = layers.Dense(classes)

    def call(self, x, training=None):
        for convolution in self.convolutions:
            x = convolution(x)
        return self.classify(self.dropout(self.pool(x), training=training))


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    y, y_test = keras.utils.to_categorical(y), keras.utils.to_categorical(y_test)
    model = Classifier(10)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(keras.optimizers.AdamW(3e-3), loss, metrics=["accuracy"])
    watched = visualizer("logs/subclassed_cnn", (x_test, y_test), training_data=(x, y), class_names=names)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[stopping, watched])


if __name__ == "__main__":
    train()
