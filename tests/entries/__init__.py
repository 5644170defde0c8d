"""What every view says of itself to be tested, one file a view: how to make it, its tags, other ways to its numbers."""

from . import activation_maps, filter_images, grad_cam, latent_trajectory

ENTRIES = {
    "FilterImages": filter_images.ENTRY,
    "ActivationMaps": activation_maps.ENTRY,
    "GradCAM": grad_cam.ENTRY,
    "LatentTrajectory": latent_trajectory.ENTRY,
}
