"""How things look: pure functions from numbers to pictures, `uint8` arrays `(h, w, 3)`.

In the order of use; each module's first line says more:

- pixels: `inputs`, `colour`, `tiles`, `text`, `marks`, `ticks`, `lines`, `rows`
- around a picture: `sheet` (caption above, strip of changing values below), `stack`, `stamp`
- of weights: `filters`, `weights`, `coefficients`
- of data: `activations`, `responses`, `overlap`, `traces`, `overlay`, `heat`, `reconstructions`
- over the steps: `clouds`, `trails`, `profiles`, `curves`, `overfitting`, `overfitting_charts`

The size of a picture never depends on the step. The modules are imported by name; none knows Keras, files or other
subpackages.
"""
