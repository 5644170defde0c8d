"""Reading a model: its layers, outputs, gradients, scores and weights. Knows nothing of how they are drawn.

layers             layer names and paths
call_hooks         wrappers around `layer.call`, for the length of one pass
output_recorder    the calls and outputs that the hooks record
heads              the kind of each output: its activation, and what the compiled loss takes it for
scores             the scalar that a map explains: the model's output before its softmax
batches            slices of the inputs
passes             what is requested of a pass, and its body
training_mode      models that cannot be run with training=False
input_errors       errors in the inputs, under the user's name for the argument
reader             compiled passes, shared by everyone who requests something
parts              the parts of a model, by the attributes that hold them
roles              what the parts of a model without `call` are for, and which of them the data run through
channel_statistics statistics of channels, computed inside the pass
input_spec         names of the inputs, and which of their axes are positions
tokens             positions of the tokens of a vision transformer
extra_passes       scores of changed inputs and layers, gradients with respect to inputs
decoding           the decoder of an autoencoder
layer_selection    the layers that are shown when the user names none
output_form        what an output is: classes, masks, images, boxes, points, series
task               what an output predicts, and how it compares with the targets
weights            kernels, which need no pass
optimizers         copies of optimizers and their state
step               one further training step, on copies
trial_step         such a step of the kernels shown, or the reason why there is none
"""
