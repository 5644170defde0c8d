"""How much of hypothesis' search the suite takes: enough to find what is wrong, little enough to be run often."""

from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)  # other work on the machine is no failure
settings.load_profile("quick")
