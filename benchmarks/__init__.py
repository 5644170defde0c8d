"""What our callbacks cost a training, beside nothing, beside the bare passes, and beside other packages.

python -m benchmarks                    # all tables, about twenty minutes on two cores
python -m benchmarks floor others       # some of them
python -m benchmarks --write            # and renew benchmarks/README.md

    models      the models and data
    measure     hooks called and timed as `fit` calls them; medians of interleaved rounds; memory
    table       rows, limits, Markdown
    floor       training-thread time beside the bare compiled forward and gradient
    fits        a whole `fit` with and without each view
    others      the same job by tf-explain, tf-keras-vis and Xplique
    growth      more views, pictures, channels, layers, epochs
    writing     event files, the interpreter lock, import
    start       the time before the first batch beside the model's own first training step
    autoencoder the autoencoder example's whole fit
    batches     a step with unit="batch" beside an epoch
    disk        short epochs on a slow disk
"""
