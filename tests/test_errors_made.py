"""Invalid arguments raise when the callback is made; the message names argument, value and remedy."""

import keras
import numpy as np
import pytest
from harness import check_each
from refused import DATA, VALIDATION

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import ProbeView

SOME_FILTERS = kv.FilterImages()
WHEN_MADE = {
    "freq of 0": (kv.FilterImages, {"freq": 0}, ValueError, ("freq=0", "at least 1")),
    "freq of True": (kv.FilterImages, {"freq": True}, TypeError, ("freq=True", "whole number", "bool")),
    "freq of 1.5": (kv.FilterImages, {"freq": 1.5}, TypeError, ("freq=1.5", "whole number", "float")),
    "freq as text": (kv.FilterImages, {"freq": "epoch"}, TypeError, ("freq='epoch'", "whole number")),
    "start before 0": (
        kv.FilterImages,
        {"start_from_epoch": -1},
        ValueError,
        ("start_from_epoch=-1", "at least 0"),
    ),
    "another on_error": (
        kv.FilterImages,
        {"on_error": "ignore"},
        ValueError,
        ("on_error='ignore'", '"warn"', '"raise"'),
    ),
    "a log_dir of None": (kv.FilterImages, {"log_dir": None}, TypeError, ("log_dir=None", "a path")),
    "a save_dir of 3": (kv.FilterImages, {"save_dir": 3}, TypeError, ("save_dir=3", "a path")),
    "an unknown argument": (kv.FilterImages, {"epochs": 3}, TypeError, ("epochs",)),
    "an unknown argument of Grad-CAM": (kv.GradCAM, {"layers": ["conv1"]}, TypeError, ("layers",)),
    "an unknown argument of the visualizer": (kv.Visualizer, {"layer": "conv1"}, TypeError, ("layer", "freq", "count")),
    "layers as one name": (kv.FilterImages, {"layers": "conv"}, TypeError, ("layers='conv'", "['conv']")),
    "layers as one name, activations": (
        kv.ActivationMaps,
        {"layers": "conv"},
        TypeError,
        ("layers='conv'", "['conv']"),
    ),
    "no layers": (kv.FilterImages, {"layers": []}, ValueError, ("layers=[]", "at least one")),
    "no layers, activations": (kv.ActivationMaps, {"layers": []}, ValueError, ("layers=[]", "at least one")),
    "other channels": (kv.FilterImages, {"channels": "all"}, ValueError, ("channels='all'", '"each"', '"norm"')),
    "another reference": (kv.FilterImages, {"relative_to": "last"}, ValueError, ("relative_to='last'", '"first"')),
    "no data": (kv.GradCAM, {"validation_data": None}, ValueError, ("validation_data=None", "(x, y)")),
    "no data, activations": (kv.ActivationMaps, {"validation_data": None}, ValueError, ("validation_data=None",)),
    "no data, codes": (kv.LatentTrajectory, {"validation_data": None}, ValueError, ("validation_data=None",)),
    "a count of 0": (kv.GradCAM, {"count": 0}, ValueError, ("count", "at least 1", "0")),
    "a count of 2.5": (kv.GradCAM, {"count": 2.5}, TypeError, ("count", "2.5", "whole number")),
    "a display that is no function": (kv.GradCAM, {"display": "grey"}, TypeError, ("display='grey'", "callable")),
    "another method": (kv.GradCAM, {"method": "gradcam"}, ValueError, ("method='gradcam'", "'grad_cam'")),
    "another score of the monitor": (
        kv.OverfittingMonitor,
        {"score": "probs"},
        ValueError,
        ("score='probs'", '"logits"', '"output"'),
    ),
    "another score": (kv.GradCAM, {"score": "probs"}, ValueError, ("score='probs'", '"logits"', '"output"')),
    "a target as text": (kv.GradCAM, {"target": "cat"}, TypeError, ("target='cat'", '"true"', "a class (int)")),
    "a target of 1.5": (kv.GradCAM, {"target": 1.5}, TypeError, ("target=1.5", "a class (int)")),
    "a target of True": (kv.GradCAM, {"target": True}, TypeError, ("target=True", "a class (int)")),
    "views as one name": (kv.Visualizer, {"views": "GradCAM"}, TypeError, ("views='GradCAM'", "a list")),
    "an unknown view": (kv.Visualizer, {"views": ["GradCam"]}, ValueError, ("'GradCam'", "GradCAM")),
    "a view that is none": (kv.Visualizer, {"views": [3]}, TypeError, ("views", "3", "GradCAM")),
    "no views": (kv.Visualizer, {"views": []}, ValueError, ("views=[]", "at least one")),
    "training data alone": (
        kv.Visualizer,
        {"validation_data": None, "training_data": DATA.x},
        ValueError,
        ("training_data", "without validation_data", "pass both"),
    ),
    "channels as an array": (kv.FilterImages, {"channels": np.zeros(3)}, ValueError, ("channels=array", '"each"')),
    "on_error as an array": (kv.FilterImages, {"on_error": np.zeros(3)}, ValueError, ("on_error=array", '"warn"')),
    "a notebook by name": (
        kv.FilterImages,
        {"notebook": "jupyter"},
        ValueError,
        ("notebook='jupyter'", '"auto"', "True"),
    ),
    "a notebook of 1": (kv.Visualizer, {"notebook": 1}, ValueError, ("notebook=1", '"auto", True or False')),
    "one tag to show": (
        kv.FilterImages,
        {"show": "filters/*"},
        TypeError,
        ("show='filters/*'", "list of tags", '["act'),
    ),
    "numbers to show": (kv.Visualizer, {"show": [1]}, TypeError, ("show=[1]", "list of tags or patterns")),
    "a timelapse of 1": (kv.FilterImages, {"timelapse": 1}, TypeError, ("timelapse=1", "True or False", "int")),
    "a log_dir of bytes": (kv.FilterImages, {"log_dir": b"logs"}, TypeError, ("log_dir=b'logs'", "a path", "bytes")),
    "a set of layers": (kv.FilterImages, {"layers": {"conv1"}}, TypeError, ("layers={'conv1'}", "a list of names")),
    "no layers, weights": (kv.WeightHeatmaps, {"layers": ()}, ValueError, ("layers=", "at least one")),
    "a score as an array": (kv.GradCAM, {"score": np.zeros(3)}, ValueError, ("score=array", '"logits"')),
    "a method as an array": (kv.GradCAM, {"method": np.zeros(3)}, ValueError, ("method=array", "'grad_cam'")),
    "a class a row": (
        kv.GradCAM,
        {"target": [0] * 12},
        TypeError,
        ("target=[0, 0", "a class (int)", 'target="true"'),
    ),
    "a target of unequal lists": (kv.GradCAM, {"target": [[1], [1, 2]]}, TypeError, ("target=[[1], [1, 2]]", "int")),
    "a target of bytes": (kv.Attribution, {"target": b"true"}, TypeError, ("target=b'true'", '"true"')),
    "a count of True": (kv.GradCAM, {"count": True}, TypeError, ("count", "True", "whole number")),
    "a count of infinity": (kv.LatentProfiles, {"count": float("inf")}, TypeError, ("count", "inf", "whole number")),
    "another attribution": (kv.Attribution, {"method": "lime"}, ValueError, ("method='lime'", "'occlusion'")),
    "an option of another method": (
        kv.Attribution,
        {"method": "gradient", "steps": 3},
        TypeError,
        ("steps", "method='gradient'", "none"),
    ),
    "an option of a method of one's own": (
        kv.Attribution,
        {"method": max, "steps": 3},
        TypeError,
        ("steps", "callable"),
    ),
    "no steps": (kv.Attribution, {"steps": 0}, ValueError, ("steps=0", "at least 1")),
    "steps as text": (kv.Attribution, {"steps": "32"}, TypeError, ("steps='32'", "whole number", "str")),
    "a trillion steps": (kv.Attribution, {"steps": 10**12}, ValueError, ("steps=1000000000000", "at most 100,000")),
    "a trillion samples": (
        kv.Attribution,
        {"method": "rise", "samples": 10**12},
        ValueError,
        ("samples=1000000000000", "at most 100,000", "a pass"),
    ),
    "a trillion cells": (
        kv.Attribution,
        {"method": "rise", "cells": 10**12},
        ValueError,
        ("cells=1000000000000", "at most 1,000"),
    ),
    "noise below 0": (kv.Attribution, {"method": "smooth_grad", "noise": -1}, ValueError, ("noise=-1", "at least 0")),
    "noise of 401 digits": (
        kv.Attribution,
        {"method": "smooth_grad", "noise": 10**400},
        ValueError,
        ("noise=1000", "a finite number"),
    ),
    "all kept": (kv.Attribution, {"method": "rise", "keep": 1}, ValueError, ("keep=1", "between 0 and 1")),
    "a seed below 0": (kv.Attribution, {"method": "rise", "seed": -1}, ValueError, ("seed=-1", "at least 0")),
    "no patch": (kv.Attribution, {"method": "occlusion", "patch": ()}, ValueError, ("patch=()", "one for each axis")),
    "a patch below 0": (
        kv.Attribution,
        {"method": "occlusion", "patch": (2, -1)},
        ValueError,
        ("patch=(2, -1)", "at least 1"),
    ),
    "a baseline of NaN": (kv.Attribution, {"baseline": np.nan}, ValueError, ("baseline", "must be finite", "NaN")),
    "a baseline beyond float32": (kv.Attribution, {"baseline": 10**400}, ValueError, ("baseline", "finite", "float32")),
    "a baseline as text": (kv.Attribution, {"baseline": "black"}, TypeError, ("baseline", "a number", "'black'")),
    "clip as a number": (kv.WeightHeatmaps, {"clip": 1.0}, TypeError, ("clip=1.0", "a dict", '{"clipnorm": 1.0}')),
    "another clip": (kv.WeightHeatmaps, {"clip": {"norm": 1.0}}, ValueError, ("'norm' is none", '"clipnorm"')),
    "two clips": (
        kv.WeightHeatmaps,
        {"clip": {"clipnorm": 1.0, "clipvalue": 1.0}},
        ValueError,
        ("exactly one", "got 2"),
    ),
    "a clip of 0": (kv.WeightHeatmaps, {"clip": {"clipnorm": 0}}, ValueError, ('clip["clipnorm"]=0', "positive")),
    "a clip of 401 digits": (
        kv.WeightHeatmaps,
        {"clip": {"clipnorm": 10**400}},
        ValueError,
        ('clip["clipnorm"]=1000', "positive, finite"),
    ),
    "a clip as text": (kv.WeightHeatmaps, {"clip": {"clipnorm": "1"}}, TypeError, ("clip", "positive number", "str")),
    "a base as a view": (kv.Visualizer, {"views": [ProbeView]}, TypeError, ("ProbeView", "is no view", "GradCAM")),
    "a callback of Keras as a view": (
        kv.Visualizer,
        {"views": [keras.callbacks.EarlyStopping()]},
        TypeError,
        ("EarlyStopping", "is no view"),
    ),
    "a visualizer as a view": (kv.Visualizer, {"views": [kv.Visualizer]}, TypeError, ("Visualizer", "is no view")),
    "the same instance twice": (
        kv.Visualizer,
        {"views": [SOME_FILTERS, SOME_FILTERS]},
        ValueError,
        ("the same FilterImages", "twice", "name it once"),
    ),
    "a view named twice": (
        kv.Visualizer,
        {"views": ["GradCAM", kv.GradCAM]},
        ValueError,
        ("GradCAM", "twice", "name it once"),
    ),
    "a set of views": (kv.Visualizer, {"views": {"GradCAM"}}, TypeError, ("views={'GradCAM'}", "a list")),
    "freq of a visualizer": (kv.Visualizer, {"freq": 0}, ValueError, ("freq=0", "at least 1")),
    "count of a visualizer": (kv.Visualizer, {"count": 0}, ValueError, ("count", "at least 1")),
}


@pytest.mark.fault("wrong arguments", "the right error with its words, when the callback is made")
def test_it_raises_when_the_callback_is_made():
    def check(case):
        view, given, error, words = WHEN_MADE[case]
        data = {"validation_data": VALIDATION} if issubclass(view, (ProbeView, kv.Visualizer)) else {}
        with pytest.raises(error) as raised:
            view(**{"log_dir": "logs", **data, **given})
        assert type(raised.value) is error
        for word in words:
            assert word in str(raised.value), raised.value

    check_each(WHEN_MADE, check)
