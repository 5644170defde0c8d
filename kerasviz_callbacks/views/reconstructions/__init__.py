"""`Reconstructions`: what an autoencoder reconstructs, and walks between two latent codes."""

from .reconstructions import Reconstructions as Reconstructions
