"""How a model is read: find layers, note what they put out, take weights and scores. Knows nothing of how it looks.

layers      names and paths
watching    wrappers in place of `layer.call`, for one pass
noting      what the wrappers saw: calls and outputs
scores      what a map explains: the model's answer before its softmax
batches     rows in batches
passes      what is asked of a pass, and its body
surveyed    what the first look at a model met, to ask further questions of
told        what speaks against the inputs, by the user's name for them
reader      the passes: compiled once, for all who ask
fed         names of inputs, which of their axes are positions
tokens      how the tokens of a vision transformer lie on the picture
further     scores of changed inputs and layers, gradients by the inputs
decoding    the decoder of an autoencoder, told apart
weights     kernels, which need no pass
optimizers  optimizers, copied with their state
step        one further training step, on copies
attempt     such a step of the kernels shown, or why there is none
choosing    which layers are shown when none is named
task        classes, labels or quantities: how answers are held beside the truth
"""
