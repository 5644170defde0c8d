"""The cost of the callbacks, relative to training without them, to bare passes over the model and to other packages.

python -m benchmarks                    # all tables, about half an hour on two cores
python -m benchmarks floor others       # some of them
python -m benchmarks --write            # and update benchmarks/README.md

    models      the models and data
    measure     hooks timed as `fit` calls them, medians of interleaved rounds, memory
    table       rows with limits, as Markdown
    floor       training-thread time relative to the bare compiled forward pass and gradient
    fits        a whole `fit` with and without each view
    others      the same task in tf-explain, tf-keras-vis and Xplique
    growth      cost by number of views, images, channels, layers and epochs
    writing     event files, the interpreter lock, import time
    overfitting what the metrics of `OverfittingMonitor` detect, and how early
    alarms      what `overfitting` computes from recorded curves
    start       the time before the first batch beside the model's own first training step
    autoencoder the autoencoder example's whole fit
    batches     a step with unit="batch" beside an epoch
    data_map    cost and memory of `DataMap`
    doubtful    how well its figures find planted wrong labels
    disk        short epochs on a slow disk
"""
