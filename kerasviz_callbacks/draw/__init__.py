"""How things look: pure functions from numbers to pictures, `uint8` arrays `(h, w, 3)`.

In the order of use:

    inputs      what the model is fed, as a person should see it
    colour      lookup tables, a colour for NaN, class colours
    tiles       enlarge, shrink, resize, lay out
    text        words and numbers
    marks       bars, hairlines, frames
    sheet       caption above, strip of changing figures below; the size never depends on the step
    stack       several pictures on one paper
    stamp       the step below a frame of an animation
    filters     kernels as tiles, kernels as a matrix
    weights     a kernel as a matrix, as it is and after a step
    coefficients  the units of a layer, and how they learned over all steps
    rows        names beside rows
    activations maps of layers as tiles, dense layers as a matrix
    responses   how strongly each neuron answers, a hue a neuron
    overlap     correlations of channels as a matrix
    traces      signals over time
    overlay     heat over a picture
    heat        heat maps over pictures, signals, volumes
    clouds      one window on codes, with their tails
    trails      how codes move
    lines       lines over the epochs, to the part of a pixel
    profiles    latent variables over the whole training
    reconstructions  what an autoencoder gives back
    curves      figures of both sets over the epochs
    overfitting  the sheet that says whether, since when and on what a model overfits
    overfitting_charts  its charts and words, from histories

The modules are imported by name; none knows Keras, files or other rooms of this package.
"""
