"""`OverfittingMonitor`: is the model overfitting, since when, and on which inputs."""

from .monitor import OverfittingMonitor as OverfittingMonitor
