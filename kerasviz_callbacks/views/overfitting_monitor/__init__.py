"""`OverfittingMonitor`: whether the model overfits, since which epoch, and on which inputs."""

from .monitor import OverfittingMonitor as OverfittingMonitor
