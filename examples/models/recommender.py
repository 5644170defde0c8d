"""Recommender of embeddings alone: users times films give the rating, both as pairs of numbers."""

import keras
import numpy as np
from keras import layers, ops

import kerasviz_callbacks as kv

USERS, FILMS = 60, 40


class Recommender(keras.Model):
    def __init__(self, width=4):
        super().__init__()
        options = {"embeddings_initializer": "he_normal", "embeddings_regularizer": keras.regularizers.L2(1e-5)}
        self.user, self.user_bias = layers.Embedding(USERS, width, **options), layers.Embedding(USERS, 1)
        self.film, self.film_bias = layers.Embedding(FILMS, width, **options), layers.Embedding(FILMS, 1)

    def call(self, pairs):
        user, film = pairs[:, 0], pairs[:, 1]
        liked = ops.sum(self.user(user) * self.film(film), axis=1, keepdims=True)
        return ops.sigmoid(liked + self.user_bias(user) + self.film_bias(film))


def train(visualizer=kv.Visualizer):
    rng = np.random.default_rng(0)
    tastes, kinds = rng.normal(size=(USERS, 2)), rng.normal(size=(FILMS, 2))
    ratings = 1 / (1 + np.exp(-tastes @ kinds.T))
    pairs = rng.permutation([(user, film) for user in range(USERS) for film in range(FILMS)]).astype("int32")
    y = ratings[pairs[:, 0], pairs[:, 1]].astype("float32")
    (x, y), test = (pairs[:2000], y[:2000]), (pairs[2000:], y[2000:])
    model = Recommender()
    model.compile(keras.optimizers.Adam(2e-2), "binary_crossentropy")
    watched = visualizer("logs/recommender", test, training_data=(x, y))
    return model, model.fit(x, y, validation_data=test, epochs=8, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
