"""`Predictions`: what a model puts out beside the truth, whatever it puts out.

outputs         `Output`: one output, its truth, and what the user said of it
prediction_kind `PredictionKind`: how one kind of output is captured, measured and drawn
masks, images, boxes, points, series, classes, text: the kinds
predictions     the view
"""

from .predictions import Predictions as Predictions
