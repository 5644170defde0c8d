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
    def __init__(self, gen_ab, gen_ba, disc_a, disc_b, cycle=10.0):
        super().__init__()
        self.gen_ab, self.gen_ba, self.disc_a, self.disc_b, self.cycle = gen_ab, gen_ba, disc_a, disc_b, cycle

    def compile(self):
        super().compile()
        self.optimizers = [keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(4)]

    def train_step(self, data):
        real_a, real_b = data
        with tf.GradientTape(persistent=True) as tape:
            fake_b, fake_a = self.gen_ab(real_a, training=True), self.gen_ba(real_b, training=True)
            cycled = ops.mean(abs(self.gen_ba(fake_b) - real_a)) + ops.mean(abs(self.gen_ab(fake_a) - real_b))
            answer_a, answer_b = self.disc_a(fake_a, training=True), self.disc_b(fake_b, training=True)
            losses = {
                self.gen_ab: near(1, answer_b) + self.cycle * cycled,
                self.gen_ba: near(1, answer_a) + self.cycle * cycled,
                self.disc_a: near(1, self.disc_a(real_a, training=True)) + near(0, answer_a),
                self.disc_b: near(1, self.disc_b(real_b, training=True)) + near(0, answer_b),
            }
        for optimizer, (part, loss) in zip(self.optimizers, losses.items(), strict=True):
            weights = part.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {f"{part.name}_loss": loss for part, loss in losses.items()}


def train(visualizer=kv.Visualizer):
    (x, _), _, _ = clothes(1200)
    bright, dark = 2 * x[:600] - 1, 1 - 2 * x[600:]
    model = CycleGAN(generator("gen_ab"), generator("gen_ba"), discriminator("disc_a"), discriminator("disc_b"))
    model.compile()
    sets = [tf.data.Dataset.from_tensor_slices(one).shuffle(600, seed=7) for one in (bright, dark)]
    batches = tf.data.Dataset.zip(tuple(sets)).batch(16)
    return model, model.fit(batches, epochs=5, callbacks=[visualizer("logs/cyclegan", batches)])


if __name__ == "__main__":
    train()
