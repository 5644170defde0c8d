"""What every view declares to be tested, one file per view: how to build it, its tags, independent computations."""

from . import (
    activation_maps,
    attribution,
    coefficients,
    confusion_matrix,
    data_map,
    filter_images,
    filter_overlap,
    generated_images,
    grad_cam,
    latent_profiles,
    latent_trajectory,
    neuron_responses,
    overfitting_monitor,
    predictions,
    reconstructions,
    weight_heatmaps,
)

ENTRIES = {
    "FilterImages": filter_images.ENTRY,
    "WeightHeatmaps": weight_heatmaps.ENTRY,
    "Coefficients": coefficients.ENTRY,
    "ActivationMaps": activation_maps.ENTRY,
    "NeuronResponses": neuron_responses.ENTRY,
    "FilterOverlap": filter_overlap.ENTRY,
    "GradCAM": grad_cam.ENTRY,
    "Attribution": attribution.ENTRY,
    "LatentTrajectory": latent_trajectory.ENTRY,
    "LatentProfiles": latent_profiles.ENTRY,
    "Reconstructions": reconstructions.ENTRY,
    "Predictions": predictions.ENTRY,
    "GeneratedImages": generated_images.ENTRY,
    "ConfusionMatrix": confusion_matrix.ENTRY,
    "DataMap": data_map.ENTRY,
    "OverfittingMonitor": overfitting_monitor.ENTRY,
}

# At least one of each base class; the others are left to `-m slow`. Add a view here while you work on it.
BY_DEFAULT = (
    "FilterImages",
    "ActivationMaps",
    "GradCAM",
    "LatentTrajectory",
    "Reconstructions",
    "Predictions",
    "GeneratedImages",
    "ConfusionMatrix",
    "DataMap",
    "OverfittingMonitor",
)
