"""How things look: pure functions from numbers to pictures, `uint8` arrays `(h, w, 3)`.

In the order of use:

    inputs      model inputs as images, on one intensity range
    colour      lookup tables, a colour for NaN, class colours
    ticks       round numbers for axes, rulers and scales
    tiles       enlarge, shrink, resize, lay out in a grid
    text        text and numbers
    marks       bars, hairlines, frames
    sheet       caption above, strip of changing values below; the size never depends on the step
    stack       several pictures below each other
    stamp       the step below a frame of an animation
    filters     kernels as tiles, kernels as a matrix of tiles
    weights     a kernel as a matrix, before and after a step
    coefficients  the units of a layer: weights now, length and turn over all steps
    rows        labels beside rows
    activations maps of layers as tiles, dense layers as a matrix
    responses   how strongly each neuron responds to each input, one hue per neuron
    overlap     correlations of channels as a matrix
    traces      signals over time
    overlay     heat over an image
    heat        heat maps over images, signals, volumes
    clouds      one window on latent codes, with their paths
    trails      how latent codes move
    lines       lines over the steps, anti-aliased
    profiles    the distribution of each latent variable over all steps
    reconstructions  inputs, reconstructions and errors
    curves      metrics of both data sets over the steps
    overfitting  the overfitting sheet: losses, metrics, classes and examples
    overfitting_charts  its charts and texts, from histories

The modules are imported by name; none knows Keras, files or other subpackages.
"""
