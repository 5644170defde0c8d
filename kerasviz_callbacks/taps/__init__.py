"""How a model is read: find layers, note what they put out, take weights and scores. Knows nothing of how it looks.

layers      names and paths
watching    wrappers in place of `layer.call`, for one pass
noting      what the wrappers saw: calls and outputs
scores      what a map explains: the model's answer before its softmax
batches     rows in batches
reader      the pass: compiled once, for all who ask
weights     kernels, which need no pass
choosing    which layers are shown when none is named
"""
