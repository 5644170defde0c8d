"""Classifier: a residual network (functional), `tf.data` with random flips and crops, learning-rate schedule."""

import keras
import tensorflow as tf
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def block(x, filters, strides=1):
    y = layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    x = layers.Conv2D(filters, 1, strides, use_bias=False)(x) if strides > 1 else x
    return layers.ReLU()(layers.add([x, y]))


def augment(image, label):
    image = tf.image.random_crop(tf.pad(image, [[2, 2], [2, 2], [0, 0]]), (28, 28, 1), seed=1)
    return tf.image.random_flip_left_right(image, seed=2), label


def train(visualizer=kv.Visualizer):
    (x, y), test, names = clothes()
    training = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(2000, seed=3).map(augment).batch(64)
    validation = tf.data.Dataset.from_tensor_slices(test).batch(64)
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = block(block(block(x, 8), 16, 2), 32, 2)
    outputs = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 96), momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    watched = visualizer("logs/resnet", validation, training_data=training.take(8), class_names=names)
    return model, model.fit(training, validation_data=validation, epochs=3, callbacks=[watched])


if __name__ == "__main__":
    train()
