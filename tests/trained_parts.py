"""Models of parts with a `train_step` of their own and no `call`, in the ways that people build them."""

import keras
import tensorflow as tf
from keras import layers, ops

SHAPE = (8, 8, 1)


def encoder(*outputs, sampled=False, codes=4):
    inputs = keras.Input(SHAPE)
    hidden = layers.Conv2D(3, 3, strides=2, activation="relu")(inputs)
    hidden = layers.Dense(8, activation="relu")(layers.Flatten()(hidden))
    heads = [layers.Dense(codes, name=name)(hidden) for name in outputs]
    return keras.Model(inputs, [*heads, Sampling(name="z")(heads)] if sampled else heads)


def decoder(codes=4):
    small = [layers.Dense(48, activation="relu"), layers.Reshape((4, 4, 3))]
    up = layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")
    return keras.Sequential([keras.Input((codes,)), *small, layers.Dropout(0.1), up])


def critic(patches=False):
    end = [layers.Conv2D(1, 3)] if patches else [layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([keras.Input(SHAPE), layers.Conv2D(4, 3, strides=2), layers.LeakyReLU(), *end])


def classifier(filters=3):
    conv = layers.Conv2D(filters, 3, activation="relu", name="conv")
    end = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax", name="answer")]
    return keras.Sequential([keras.Input(SHAPE), conv, *end])


class Sampling(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(5)

    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.generator)


class Trained(keras.Model):
    """Each loss of `losses(x)` updates the weights that come with it."""

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        total = 0.0
        for number in range(len(self.trained())):
            weights = self.trained()[number]
            with tf.GradientTape() as tape:
                loss = self.losses(data if self.labelled else x)[number]
            self.optimizers[number].apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            total += loss
        return {"loss": total}

    labelled = False

    def compile(self, optimizer, **options):
        super().compile(optimizer, **options)
        self.optimizers = [keras.optimizers.Adam(0.003) for _ in self.trained()]

    def trained(self):
        return [self.trainable_weights]


class Vae(Trained):
    """The encoder gives mean, log-variance and a sample."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = encoder("z_mean", "z_log_var", sampled=True), decoder()

    def losses(self, x):
        mean, log_variance, z = self.encoder(x)
        error = ops.mean((self.decoder(z, training=True) - x) ** 2)
        return [error + 0.01 * ops.mean(mean**2 + ops.exp(log_variance) - log_variance)]


class VaeThatSamples(Trained):
    """The encoder gives two outputs; `train_step` samples, from a generator of the model."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = encoder("z_mean", "z_log_var"), decoder()
        self.seed_generator = keras.random.SeedGenerator(7)

    def losses(self, x):
        mean, log_variance = self.encoder(x)
        z = mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return [ops.mean((self.decoder(z, training=True) - x) ** 2) + 0.01 * ops.mean(mean**2)]


class Gan(Trained):
    def __init__(self):
        super().__init__()
        self.discriminator, self.generator = critic(), decoder(6)

    def trained(self):
        return [self.discriminator.trainable_weights, self.generator.trainable_weights]

    def losses(self, x):
        made = self.generator(keras.random.normal((ops.shape(x)[0], 6)), training=True)  # Keras' own random numbers
        real, fake = self.discriminator(x), self.discriminator(made)
        return [ops.mean(ops.softplus(fake) + ops.softplus(-real)), ops.mean(ops.softplus(-fake))]


class Wgan(Gan):
    """The critic is trained twice for each step of the generator, with a penalty on its gradient."""

    def trained(self):
        return [self.discriminator.trainable_weights] * 2 + [self.generator.trainable_weights]

    def losses(self, x):
        made = self.generator(tf.random.normal((tf.shape(x)[0], 6)), training=True)
        between = x + tf.random.uniform((tf.shape(x)[0], 1, 1, 1)) * (made - x)
        with tf.GradientTape() as tape:
            tape.watch(between)
            judged = self.discriminator(between)
        slope = ops.sqrt(ops.sum(tape.gradient(judged, between) ** 2, axis=(1, 2, 3)) + 1e-6)
        critic_loss = ops.mean(self.discriminator(made)) - ops.mean(self.discriminator(x)) + ops.mean((slope - 1) ** 2)
        return [critic_loss, critic_loss, -ops.mean(self.discriminator(made))]


class CycleGan(Trained):
    """Two generators and two patch critics, each pair of one make."""

    def __init__(self):
        super().__init__()
        self.gen_G, self.gen_F = self.translator(), self.translator()
        self.disc_X, self.disc_Y = critic(patches=True), critic(patches=True)

    @staticmethod
    def translator():
        return keras.Sequential([keras.Input(SHAPE), layers.Conv2D(4, 3, padding="same", name="conv"), *_to_picture()])

    def losses(self, x):
        there = self.gen_G(x)
        judged = ops.mean((self.disc_Y(there) - 1) ** 2) + ops.mean(self.disc_X(self.gen_F(x)) ** 2)
        return [ops.mean(ops.abs(self.gen_F(there) - x)) + judged]


def _to_picture():
    return [layers.ReLU(), layers.Conv2D(1, 3, padding="same", name="out")]


class Diffusion(Trained):
    """A normalizer, a network of pictures and noise levels, its moving average; held in a list."""

    def __init__(self):
        super().__init__()
        self.normalizer = layers.Normalization()
        self.normalizer.build((None, *SHAPE))
        self.networks = [self.network(), self.network()]
        self.networks[1].set_weights(self.networks[0].get_weights())

    @staticmethod
    def network():
        pictures, level = keras.Input(SHAPE), keras.Input((1, 1, 1))
        x = layers.Concatenate()([pictures, layers.UpSampling2D(8)(level)])
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
        return keras.Model([pictures, level], layers.Conv2D(1, 3, padding="same", name="noise")(x))

    def trained(self):
        return [self.networks[0].trainable_weights]

    def losses(self, x):
        noise = keras.random.normal(ops.shape(x))
        level = keras.random.uniform((ops.shape(x)[0], 1, 1, 1))
        noisy = ops.sqrt(1 - level) * self.normalizer(x) + ops.sqrt(level) * noise
        return [ops.mean((self.networks[0]([noisy, level], training=True) - noise) ** 2)]

    def train_step(self, data):
        found = super().train_step(data)
        for mean, weight in zip(self.networks[1].weights, self.networks[0].weights, strict=True):
            mean.assign(0.9 * mean + 0.1 * weight)
        return found


class Distiller(Trained):
    """A student learns a teacher's answers; both have layers of the same names."""

    def __init__(self):
        super().__init__()
        self.teacher, self.student = classifier(6), classifier(3)

    def trained(self):
        return [self.student.trainable_weights]

    def losses(self, x):
        return [-ops.mean(ops.sum(self.teacher(x) * ops.log(self.student(x) + 1e-6), axis=-1))]


class Classified(Trained):
    """One part takes the pictures: a classifier; another is an augmentation without weights."""

    labelled = True

    def __init__(self):
        super().__init__()
        self.classifier = classifier()
        self.augment = keras.Sequential([keras.Input(SHAPE), layers.GaussianNoise(0.1, seed=3)])

    def losses(self, data):
        answer = self.classifier(self.augment(data[0], training=True), training=True)
        return [ops.mean(keras.losses.sparse_categorical_crossentropy(data[1], answer))]


class PartsOfParts(Trained):
    """A model of parts within a model of parts."""

    def __init__(self):
        super().__init__()
        self.gan, self.helper = Gan(), {"more": keras.Sequential([keras.Input((4,)), layers.Dense(2)])}

    def trained(self):
        return self.gan.trained()

    def losses(self, x):
        return self.gan.losses(x)


class Unbuilt(Trained):
    """Parts that have no `Input`, and one that is never used."""

    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([layers.Flatten(), layers.Dense(16, "relu"), layers.Dense(4, name="z")])
        self.decoder = keras.Sequential([layers.Dense(64, "sigmoid"), layers.Reshape(SHAPE)])
        self.unused = keras.Sequential([layers.Dense(2)])

    def losses(self, x):
        return [ops.mean((self.decoder(self.encoder(x)) - x) ** 2)]

    def trained(self):
        return [self.encoder.trainable_weights + self.decoder.trainable_weights]

    def train_step(self, x):
        self.losses(x)  # the weights come with the first call
        return super().train_step(x)
