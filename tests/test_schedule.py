"""`Schedule`: when a step is drawn, in epochs and in batches; known from the contract's own formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.callback.schedule import Schedule


def made(unit, *, freq=1, start=0, epochs=0, steps=None, epoch=0):
    schedule = Schedule(freq, start, unit)
    schedule.plan({"epochs": epochs, "steps": steps})
    schedule.begin(epoch)
    return schedule


@given(freq=st.integers(1, 9), start=st.integers(0, 9), epochs=st.integers(1, 30))
def test_epochs_are_drawn_as_the_contract_says(freq, start, epochs):
    schedule = made("epoch", freq=freq, start=start, epochs=epochs)
    drawn = [epoch for epoch in range(epochs) if schedule.is_due(schedule.epoch_ended(epoch))]
    wanted = {epoch for epoch in range(epochs) if epoch >= start and (epoch - start) % freq == 0} | {epochs - 1}
    assert drawn == sorted(wanted)
    assert schedule.is_due(-1) == (start == 0)


def steps_of(schedule, epochs, batches, *, together=1, first_epoch=0):
    """The steps that are drawn in a fit whose batches are reported several at once."""
    drawn = []
    for epoch in range(first_epoch, epochs):
        for end in [*range(together - 1, batches - 1, together), batches - 1]:
            step = schedule.batch_ended(end)
            drawn += [] if step is None else [step]
        schedule.epoch_ended(epoch)
    return drawn


def test_a_fit_of_500_batches_with_freq_50_has_the_steps_50_to_500():
    assert steps_of(made("batch", freq=50, epochs=1, steps=500), 1, 500) == list(range(50, 501, 50))


@given(
    freq=st.integers(1, 9),
    start=st.integers(0, 9),
    epochs=st.integers(1, 4),
    batches=st.integers(1, 12),
    known=st.booleans(),
)
def test_batches_are_counted_over_the_epochs_and_the_last_is_drawn_where_it_can_be_foreseen(
    freq, start, epochs, batches, known
):
    schedule = made("batch", freq=freq, start=start, epochs=epochs, steps=batches if known else None)
    wanted = {n for n in range(1, epochs * batches + 1) if n >= start and (n - start) % freq == 0}
    wanted |= {epochs * batches} if known else set()
    assert steps_of(schedule, epochs, batches) == sorted(wanted)
    assert schedule.step == epochs * batches


@given(freq=st.integers(1, 9), together=st.integers(2, 5), batches=st.integers(1, 20), epochs=st.integers(1, 3))
def test_keras_numbers_beyond_the_end_of_an_epoch_are_not_counted(freq, together, batches, epochs):
    """With `steps_per_execution` Keras numbers the last batch as if the last execution were whole."""
    schedule, drawn = made("batch", freq=freq, epochs=epochs, steps=batches), []
    for epoch in range(epochs):
        for begin in range(0, batches, together):
            step = schedule.batch_ended(begin + together - 1)
            assert step is None or schedule.is_due(step), "who asks again gets the same answer"
            drawn += [] if step is None else [step]
        assert schedule.epoch_ended(epoch) == batches * (epoch + 1)
    within = [min(begin + together, batches) for begin in range(0, batches, together)]
    ends = [epoch * batches + end for epoch in range(epochs) for end in within]
    last = epochs * batches
    assert drawn == sorted({next(end for end in ends if end >= n) for n in range(freq, last + 1, freq)} | {last})


def test_epochs_whose_end_nobody_reports_are_counted_all_the_same():
    schedule = made("batch", freq=2)
    assert [schedule.batch_ended(batch) for _ in range(3) for batch in range(5)] == [
        *(None, 2, None, 4, None, 6, None, 8, None, 10, None, 12, None, 14, None)
    ]


@given(freq=st.integers(1, 9), together=st.integers(2, 5), batches=st.integers(1, 20))
def test_of_several_batches_at_once_the_first_report_at_or_after_a_step_counts(freq, together, batches):
    reports = [end + 1 for end in [*range(together - 1, batches - 1, together), batches - 1]]
    wanted = {next(r for r in reports if r >= n) for n in range(freq, batches + 1, freq)} | {batches}
    schedule = made("batch", freq=freq, epochs=1, steps=batches)
    assert steps_of(schedule, 1, batches, together=together) == sorted(wanted)


def test_a_resumed_fit_counts_from_the_batches_of_the_epochs_before():
    schedule = made("batch", freq=5, epochs=4, steps=10, epoch=2)
    assert steps_of(schedule, 4, 10, first_epoch=2) == [25, 30, 35, 40]


def test_a_resumed_fit_of_unknown_length_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r'unit="batch": the fit begins at epoch 2.*steps_per_epoch'):
        made("batch", epochs=4, epoch=2)


def test_a_forced_step_is_drawn_whatever_the_rest_says():
    schedule = made("epoch", freq=10, start=5, epochs=100)
    assert not schedule.is_due(7)
    schedule.forced = 7
    assert schedule.is_due(7)
