"""CycleGAN: two generators and two discriminators translate unpaired pictures, black on white and back."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


def generator(name):
    images = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(images)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    return keras.Model(images, layers.Conv2D(1, 3, padding="same", activation="tanh")(x), name=name)


def discriminator(name):
    images = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 4, strides=2, padding="same", activation="leaky_relu")(images)
    x = layers.Conv2D(32, 4, strides=2, padding="same", activation="leaky_relu")(x)
    return keras.Model(images, layers.Conv2D(1, 4, padding="same")(x), name=name)


def near(target, x):
    return ops.mean((x - target) ** 2)


class CycleGAN(keras.Model):
    def __init__(self, gen_G, gen_F, disc_X, disc_Y, cycle=10.0):
        super().__init__()
        self.gen_G, self.gen_F, self.disc_X, self.disc_Y, self.cycle = gen_G, gen_F, disc_X, disc_Y, cycle
        self.parts = {"G": gen_G, "F": gen_F, "D_X": disc_X, "D_Y": disc_Y}

    def compile(self):
        super().compile()
        self.optimizers = {name: keras.optimizers.Adam(1e-3, beta_1=0.5) for name in self.parts}

    def train_step(self, data):
        real_x, real_y = data
        with tf.GradientTape(persistent=True) as tape:
            fake_y, fake_x = self.gen_G(real_x, training=True), self.gen_F(real_y, training=True)
            cycled = ops.mean(abs(self.gen_F(fake_y) - real_x)) + ops.mean(abs(self.gen_G(fake_x) - real_y))
            answer_x, answer_y = self.disc_X(fake_x, training=True), self.disc_Y(fake_y, training=True)
            losses = {
                "G": near(1, answer_y) + self.cycle * cycled,
                "F": near(1, answer_x) + self.cycle * cycled,
                "D_X": near(1, self.disc_X(real_x, training=True)) + near(0, answer_x),
                "D_Y": near(1, self.disc_Y(real_y, training=True)) + near(0, answer_y),
            }
        for name, part in self.parts.items():
            weights = part.trainable_variables
            self.optimizers[name].apply_gradients(zip(tape.gradient(losses[name], weights), weights, strict=True))
        return {f"{name}_loss": loss for name, loss in losses.items()}


def train(visualizer=kv.Visualizer):
    (x, _), _, _ = clothes(1200)
    bright, dark = 2 * x[:600] - 1, 1 - 2 * x[600:]
    model = CycleGAN(generator("gen_G"), generator("gen_F"), discriminator("disc_X"), discriminator("disc_Y"))
    model.compile()
    batches = tf.data.Dataset.zip(
        tuple(
            tf.data.Dataset.from_tensor_slices(one).shuffle(600, seed=seed) for seed, one in enumerate((bright, dark))
        )
    ).batch(16)
    return model, model.fit(batches, epochs=5, callbacks=[visualizer("logs/cyclegan", batches)])


if __name__ == "__main__":
    train()
