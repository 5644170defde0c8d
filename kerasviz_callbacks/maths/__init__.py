"""The numbers behind the views: pure numpy, numbers in, numbers out.

    class_activation    where a network looks: class activation maps, by eight methods
    channel_weights     what a channel is worth to a score, by masking or ablating it
    singular            the strongest direction of a matrix, without its whole decomposition
    attribution         which inputs a score hangs on, from its gradients by the input
    perturbation        which positions it hangs on, from scores with parts of the input taken away
    attribution_methods those methods by name, with their options and papers
    attribution_checks  their options, axes and baselines, checked
    similarity          how far two vectors point apart, exact down to the last turn of a filter
    matrices            kernels as matrices; large ones made small without losing their spikes
    clipping            how much gradient clipping takes away
    units               how long a layer's units are and how far they turn, over all steps
    health              redundancy, turn and norm of filters; dead, dormant and sparse channels
    responses           how strongly neurons answer to pictures and classes
    overlap             which channels answer to the same thing: correlations of their maps
    projection          the held plane in which the codes of an autoencoder are seen to move
    latent              spread, move, drift and dimension of codes
    classes             how features lie by class: neighbours, silhouette, width beside distance
    confidence          how sure a model is, beside how often it is right
    map_change          how far heat maps of another epoch or class point elsewhere
    reconstruction      how far off what comes out is; lines between two codes
    scale               how far a colour scale reaches
    choice              which layers and channels are looked at
    geometry            inputs as pictures, kernels as filters, tokens as patches

Nothing here knows Keras, a picture or a file, and nothing here imports another room. Figures are computed in
float64, whatever comes in; the same input gives the same bytes. What NaN and infinity do is said in each
docstring: either they are left out and that is stated, or the result is NaN, never a warning.
"""
