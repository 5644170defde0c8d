"""The numbers behind the views: pure numpy, numbers in, numbers out.

    class_activation    where a network looks: class activation maps from activations and gradients
    similarity          how far two vectors point apart, exact down to the last turn of a filter
    health              redundancy, turn and norm of filters; dead, dormant and sparse channels
    projection          the held plane in which the codes of an autoencoder are seen to move
    latent              spread, move, drift and dimension of codes; neighbours of the same class
    scale               how far a colour scale reaches
    choice              which layers and channels are looked at
    geometry            inputs as pictures, kernels as filters

Nothing here knows Keras, a picture or a file, and nothing here imports another room. Figures are computed in
float64, whatever comes in; the same input gives the same bytes. What NaN and infinity do is said in each
docstring: either they are left out and that is stated, or the result is NaN, never a warning.
"""
