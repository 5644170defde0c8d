"""Knowledge distillation: a small student learns from a trained teacher, `compute_loss` of its own."""

import keras
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


def network(name, filters):
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(2 * filters, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ],
        name=name,
    )


class Distiller(keras.Model):
    def __init__(self, student, teacher, alpha=0.1, temperature=3.0):
        super().__init__()
        self.student, self.teacher, self.alpha, self.temperature = student, teacher, alpha, temperature

    def call(self, x, training=None):
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        taught = ops.softmax(self.teacher(x, training=False) / self.temperature)
        soft = keras.losses.kl_divergence(taught, ops.softmax(y_pred / self.temperature))
        hard = super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        return self.alpha * hard + (1 - self.alpha) * self.temperature**2 * ops.mean(soft)


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    teacher = network("teacher", 32)
    teacher.compile("adam", loss)
    teacher.fit(x, y, epochs=3, verbose=0)
    teacher.trainable = False
    model = Distiller(network("student", 6), teacher)
    model.compile("adam", loss, metrics=["accuracy"])
    watched = visualizer("logs/distillation", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
