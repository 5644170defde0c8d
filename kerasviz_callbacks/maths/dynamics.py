"""Training dynamics of samples: how the answer to each label developed over the epochs, in sums of bounded size."""

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .sample_scores import SampleScores

_Real = NDArray[np.float64]
_Mask = NDArray[np.bool_]
UNKNOWN = -1
"""In `last_right` and `best_right`: there was no answer; in `rival` and `best_rival`: no other class is known."""

SUMS = np.dtype(
    [
        ("epochs", np.int64),
        ("probability_sum", np.float64),
        ("probability_squares", np.float64),
        ("right_epochs", np.int64),
        ("margin_sum", np.float64),
        ("forgetting", np.int64),
        ("last_right", np.int64),
        ("last_probability", np.float64),
        ("rival", np.int64),
        ("best_epochs", np.int64),
        ("best_margin_sum", np.float64),
        ("best_right", np.int64),
        ("best_rival", np.int64),
    ]
)
"""What is kept of each sample: sums over the epochs with an answer, the last answer, and both at the best epoch."""


@dataclass
class SampleDynamics:
    """Sums over the epochs, of n samples.

    Attributes:
        sums: of the samples, `(n,)` of `SUMS`.
        step: the last epoch, or `None`.
        epochs: how many were counted.
        best_step: the epoch of the lowest `val_loss` so far; `None` until there is one.
        best_loss: that `val_loss`.
    """

    sums: NDArray[np.void]
    step: int | None = None
    epochs: int = 0
    best_step: int | None = None
    best_loss: float = field(default=math.inf)

    @classmethod
    def of(cls, count: int) -> Self:
        """Begin with `count` samples and no epoch."""
        return cls(blank_sums(count))

    def add(self, scores: SampleScores, step: int, val_loss: float = math.nan) -> None:
        """Add the answers at the end of an epoch. A sample without an answer, NaN, is left as it is."""
        sums, known = self.sums, scores.known
        probability, right = scores.probability[known], scores.right[known]
        forgotten = (sums["last_right"][known] == 1) & ~right
        for name, value in (
            ("epochs", 1),
            ("probability_sum", probability),
            ("probability_squares", np.square(probability)),
            ("right_epochs", right),
            ("margin_sum", scores.margin[known]),
            ("forgetting", forgotten),
        ):
            sums[name][known] += value
        sums["last_right"] = np.where(known, scores.right, UNKNOWN)
        sums["last_probability"] = np.where(known, scores.probability, np.nan)
        sums["rival"] = np.where(known, scores.rival, sums["rival"])
        self.step, self.epochs = step, self.epochs + 1
        if val_loss < self.best_loss:
            self.best_step, self.best_loss = step, val_loss
            for name, of in (
                ("best_epochs", "epochs"),
                ("best_margin_sum", "margin_sum"),
                ("best_right", "last_right"),
                ("best_rival", "rival"),
            ):
                sums[name] = sums[of]

    def copy(self) -> Self:
        """Return a copy that later epochs do not change."""
        return replace(self, sums=self.sums.copy())

    # What the sums say of each sample, `(n,)`; NaN where no epoch was counted.

    @property
    def confidence(self) -> _Real:
        """Mean probability of the label (Swayamdipta et al., "Dataset Cartography", EMNLP 2020)."""
        return _mean(self.sums["probability_sum"], self.sums["epochs"])

    @property
    def variability(self) -> _Real:
        """Standard deviation of that probability over the epochs (ibid.), 0 to 0.5."""
        squares = _mean(self.sums["probability_squares"], self.sums["epochs"])
        spread: _Real = np.sqrt(np.maximum(squares - np.square(self.confidence), 0.0))
        return spread

    @property
    def correctness(self) -> _Real:
        """Share of the epochs whose answer was right (ibid.)."""
        return _mean(self.sums["right_epochs"], self.sums["epochs"])

    @property
    def margin(self) -> _Real:
        """Mean margin up to the best epoch, its own included; of all epochs where no `val_loss` is known.

        NaN of samples that were not counted up to the best epoch. Up to the last epoch it is the AUM of Pleiss et al.,
        "Identifying mislabeled data using the area under the margin ranking", NeurIPS 2020; what is memorised after the
        best epoch spoils it.
        """
        if self.best_step is None:
            return self.margin_to_the_end
        return _mean(self.sums["best_margin_sum"], self.sums["best_epochs"])

    @property
    def margin_to_the_end(self) -> _Real:
        """Mean margin of all epochs, the AUM."""
        return _mean(self.sums["margin_sum"], self.sums["epochs"])

    @property
    def forgetting(self) -> NDArray[np.int64]:
        """How often a right answer was followed by a wrong one (Toneva et al., ICLR 2019)."""
        found: NDArray[np.int64] = self.sums["forgetting"]
        return found

    @property
    def proposed(self) -> NDArray[np.int64]:
        """The class with the largest other logit, at the best epoch if there is one, else now; `UNKNOWN`."""
        found: NDArray[np.int64] = np.where(self.sums["best_epochs"] > 0, self.sums["best_rival"], self.sums["rival"])
        return found

    # Groups of samples, `(n,)`. The first three and those without an answer now are all.

    @property
    def learned(self) -> _Mask:
        """Right now."""
        found: _Mask = self.sums["last_right"] == 1
        return found

    @property
    def forgotten(self) -> _Mask:
        """Wrong now, and right at an earlier epoch."""
        found: _Mask = (self.sums["last_right"] == 0) & (self.sums["right_epochs"] > 0)
        return found

    @property
    def never_learned(self) -> _Mask:
        """Wrong now, and never right before."""
        found: _Mask = (self.sums["last_right"] == 0) & (self.sums["right_epochs"] == 0)
        return found

    @property
    def doubtful(self) -> _Mask:
        """A margin below 0: on the mean another class had the larger logit."""
        found: _Mask = self.margin < 0
        return found

    @property
    def memorised(self) -> _Mask:
        """Doubtful, wrong at the best epoch and right now."""
        if self.best_step is None or self.best_step == self.step:
            return np.zeros(len(self.sums), bool)
        found: _Mask = self.doubtful & (self.sums["best_right"] == 0) & self.learned
        return found


def blank_sums(count: int) -> NDArray[np.void]:
    """Return the sums of samples of which no epoch was counted."""
    sums = np.zeros(count, SUMS)
    for name in ("last_right", "rival", "best_right", "best_rival"):
        sums[name] = UNKNOWN
    sums["last_probability"] = np.nan
    return sums


def doubt(margin: _Real, disagreement: _Real | None = None) -> _Real:
    """Rank samples by how doubtful their labels are: from 1, the least, to n; equal ones share their mean rank.

    Args:
        margin: `(n,)`, the lower the more doubtful.
        disagreement: `(n,)`, the share of nearest neighbours with another label; NaN where it is not known.

    Returns:
        The rank by the margin, NaN without one. Samples whose disagreement is known are ordered among themselves, in
        the places that they have together, by the sum of their ranks by margin and by disagreement.
    """
    from scipy.stats import rankdata

    found: _Real = rankdata(-margin, nan_policy="omit")
    if disagreement is not None:
        known = ~np.isnan(disagreement) & ~np.isnan(margin)
        order = rankdata(rankdata(-margin[known]) + rankdata(disagreement[known]))
        places = np.sort(found[known])
        found[known] = np.interp(order, np.arange(1, len(places) + 1), places) if len(places) else places
    return found


def most_doubtful(margin: _Real, disagreement: _Real | None = None) -> NDArray[np.intp]:
    """Return the samples in the order of `doubt`, the most doubtful first, those without a margin last."""
    return np.argsort(-doubt(margin, disagreement), kind="stable")  # NaN come last


def _mean(sums: NDArray[np.generic], counts: NDArray[np.generic]) -> _Real:
    given = np.asarray(sums, np.float64)
    means: _Real = np.full(given.shape, np.nan)
    np.divide(given, counts, out=means, where=np.asarray(counts) > 0)
    return means
