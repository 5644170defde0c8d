"""What TensorBoard shows behind the "i" of the image and of the scalars."""

DESCRIPTION = """**Whether the model overfits, since which epoch, and on which inputs.**

*How to read it:* the headline says the worst that the numbers show: NaN, validation accuracy at chance level, a
validation loss far above the training loss from the beginning (the inputs may be scaled differently), a loss that
does not fall, or a validation loss that has risen since its best epoch. Training is dashed, validation solid; the
dotted line in the accuracy is that of always answering with the most frequent class of the validation data (majority
class), the chance level of the headline. No weights count in it; sample weights count in the loss and the
`weighted_metrics` of the data that they belong to, `class_weight` in those of training alone, and a curve with such
weights can be compared neither with one without nor with the dotted line. Keras takes the training values while it
trains: they are means over the epoch, with dropout on and batch statistics, so at its end the model may be better or
worse, as a confusion matrix shows. Losses that differ by decades are on a logarithmic axis. The vertical line marks
the best epoch, the one with the lowest val_loss; the background after it is tinted. Epochs count from 0, like
TensorBoard's steps. Below the losses are the metrics; a ring marks the best value and its epoch, of overconfidence
among the trained ones only. overconfidence is the mean confidence minus the accuracy; knn, silhouette and nc1 measure
how well the penultimate features separate the classes (knn rises with the number of rows, so compare training with
validation data only for about as many rows of each class); cam_drift measures how far the Grad-CAM maps of the true
class have moved since the best epoch, cam_true_vs_predicted how much the maps of the true and the predicted class
differ: 0 for a row that is right, so it falls as fewer rows are wrong; of a single sigmoid unit it is the share of
wrong rows, since the maps of its two classes exclude each other. It is low too where the maps of wrong answers are
those of the right ones, so no epoch is marked as its best. At the bottom: the mean probability of the true class, by
class (ring: at the best epoch; disc: now; thick line: decreased), and the inputs that lost most, with the Grad-CAM
maps of their true class at the best epoch and now, on one scale; a thin outline encloses where a map exceeds half of
its own largest value, unless that is most of the map. A metric of maps has a gap where most rows that it compares
have empty ones. The last lines, with training data of one class a row, name doubtful labels that were wrong at the
best epoch and are right now: memorised. Doubtful is a label below another class's logit on the mean of the epochs up
to the best one; `DataMap` shows all of them.
*Bad signs:* val_loss rises after the line while the training loss falls; overconfidence is positive and grows; metrics
of validation data get worse while those of training data improve. Wrong labels show in silhouette and nc1 before they
are memorised, in overconfidence only then; too little training data in overconfidence. The metrics tell little of a
rare class: see its own line at the bottom. No single metric is conclusive."""
SCALARS = {
    "overconfidence": "Mean largest probability minus accuracy, classes in the proportions of the data: "
    "0 if confidence matches accuracy, above 0 if overconfident.",
    "knn": "Share of the 5 nearest neighbours of each feature vector that have the same label (leave-one-out), mean "
    "over classes. At chance 1 / classes; unreliable for classes of fewer than 30 rows.",
    "silhouette": "Silhouette score of the features by class, -1 to 1: distance to the nearest other class compared "
    "with the distance within the class.",
    "nc1": "Sum of squares of the features within classes, divided by that between classes; low: well separated.",
    "cam_drift": "Mean of 1 - cos between the Grad-CAM maps of the true class now and at the best epoch so far.",
    "cam_true_vs_predicted": "Mean of 1 - cos between the Grad-CAM maps of the true and the predicted class; 0 for "
    "rows that are right, 1 where one map is empty; wrong rows with two empty maps are left out.",
    "cam_empty": "Number of rows excluded from cam_drift because the Grad-CAM map of their true class is empty, now or "
    "at the best epoch.",
}
