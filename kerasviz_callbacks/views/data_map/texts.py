"""What TensorBoard shows behind the "i" of the image and of the scalars."""

import numpy as np

from .table import Judged

_DESCRIPTION = """**Data map:** which samples are learned, forgotten and never learned, and which labels are doubtful.

*How to read it:* each dot is {thing}. Up: the mean probability of its label over all {unit}s so far; across: the
standard deviation. Blue dots were answered right at most {unit}s, orange ones wrong. Top left are the samples that are
easy to learn, on the right those that are ambiguous, on which a model learns most, bottom left those that are hard to
learn, wrong labels among them (Swayamdipta et al. 2020). On the right: the shares that are right now (learned), wrong
now but right before (forgotten), and never right; the dotted line marks the lowest val_loss. Below, and with a ring:
the most doubtful labels, given and proposed. The margin is the logit of the label minus the largest other one, as a
mean over the {unit}s up to the lowest val_loss so far (all without a val_loss): what is memorised later does not count
(area under the margin, Pleiss et al. 2020). Below 0 a label is doubtful: on the mean the model preferred another one.
{order} The proposed label is the one that the model preferred at the lowest val_loss; p is the probability of the given
label now. All rows are in a CSV file, data_map.csv, in the directory of this run.
*Good signs:* a map that moves up and to the left; few doubtful labels, which a person finds hard too.
*Bad signs:* doubtful labels that are wrong when you look at them; a share that is never learned and stays; doubtful
labels whose p rises to 1 after the dotted line: they are memorised. Doubtful is not wrong: rare and hard samples are
doubtful too, and of rows that are not looked at nothing is known."""

_BY_BOTH = """kNN is the share of the 10 nearest rows, by the penultimate features, with another label. The order is by
the mean of the ranks by margin and kNN."""
_BY_MARGIN = "The order is by the margin."

SCALARS = {
    "learned": "Share of the samples whose answer is right now, in the proportions of the data.",
    "forgotten": "Share of the samples whose answer is wrong now, and was right at an earlier epoch.",
    "never_learned": "Share of the samples whose answer is wrong now, and was never right.",
    "doubtful": "Share of the samples whose mean margin up to the epoch of the lowest val_loss is below 0: the model "
    "preferred another label.",
}


def described(judged: Judged, unit: str) -> str:
    """Return the description of the image; `unit` is what a step counts."""
    thing = "one label of one row" if judged.items.several else "one of the rows looked at"
    order = _BY_BOTH if np.isfinite(judged.disagreement).any() else _BY_MARGIN
    return _DESCRIPTION.format(thing=thing, unit="step" if unit == "batch" else unit, order=order)
