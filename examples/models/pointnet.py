"""Point clouds: a PointNet gives the solid on whose surface the points lie; augmented by `tf.data`."""

import keras
import tensorflow as tf
from keras import layers
from small_data import clouds

import kerasviz_callbacks as kv


def augment(points, label):
    points += tf.random.normal(tf.shape(points), stddev=0.01, seed=1)
    return tf.random.shuffle(points, seed=2), label


def train(visualizer=kv.Visualizer):
    training = tf.data.Dataset.from_tensor_slices(clouds(800)).shuffle(800, seed=3).map(augment).batch(32)
    validation = tf.data.Dataset.from_tensor_slices(clouds(150, seed=1)).batch(32)
    points = keras.Input((128, 3))
    x = points
    for filters in (16, 32, 64):
        x = layers.Conv1D(filters, 1)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(layers.GlobalMaxPooling1D()(x)))
    model = keras.Model(points, layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/pointnet", validation, class_names=["ball", "box", "cylinder"])
    return model, model.fit(training, validation_data=validation, epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
