"""How things look: pure functions from numbers to pictures, `uint8` arrays `(h, w, 3)`.

In the order of use; each module's first line says more:

- pixels: `inputs`, `volumes`, `colour`, `tiles`, `text`, `marks`, `ticks`, `lines`, `rows`
- around a picture: `sheet` (caption above, strip of changing values below), `stack`, `stamp`
- of weights: `filters`, `weights`, `coefficients`
- of data: `activations`, `responses`, `overlap`, `traces`, `overlay`, `points`, `heat`
- of outputs: `reconstructions`, `predictions`, `predicted_tiles`, `generated`, `confusion`
- over the steps: `clouds`, `trails`, `profiles`, `curves`, `overfitting`, `overfitting_charts`

What draws whole pictures takes a `caption`, which must not change during a run (layer and shape, never the step), for
the strip below a `note` of values that change from step to step, and some take `bad`, how many values are not finite as
`colour.count_non_finite` says it. The size of a picture depends on shapes and the caption, never on the step.

The modules are imported by name; none knows Keras, files or other subpackages.
"""
