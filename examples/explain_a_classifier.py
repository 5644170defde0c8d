"""Explain the predictions of a classifier by several methods, and by an explainer of another library.

python examples/explain_a_classifier.py          # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step

If Xplique is installed (`pip install xplique`), its saliency maps are logged too: `method=` takes any callable. They
explain the softmax, which saturates, so they fade where the model is confident; ours explain the logits.
"""

import importlib.util
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from options import options
from watch_a_classifier import build

import kerasviz_callbacks as kv


def xplique_saliency(model, inputs, targets):
    """Return saliency maps by Xplique.

    Args:
        model: the model to explain.
        inputs: images `(n, 28, 28, 1)`.
        targets: class indices `(n,)`.

    Returns:
        Maps of the shape of `inputs`.
    """
    from xplique.attributions import Saliency

    one_hot = keras.utils.to_categorical(targets, model.output_shape[-1])
    return Saliency(model)(inputs, one_hot).numpy().reshape(inputs.shape)


def main():
    """Train the classifier with the views."""
    given = options(__doc__, epochs=6, log_dir="logs/explained").parse_args()

    keras.utils.set_random_seed(1)
    train, test, names = load()
    shown = {"count": 12, "class_names": names, "save_dir": given.save_dir}
    methods = ["integrated_gradients", "guided_backprop", "occlusion"]
    if importlib.util.find_spec("xplique"):
        methods.append(xplique_saliency)
    else:
        print("Xplique is not installed: its saliency maps are left out.")

    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        *train,
        validation_data=test,
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            *(kv.GradCAM(given.log_dir, test, method=method, **shown) for method in ("grad_cam++", "hires_cam")),
            *(kv.Attribution(given.log_dir, test, method=method, **shown) for method in methods),
            # It takes five times as long as all others together, so it runs every third epoch.
            kv.Attribution(given.log_dir, test, method="rise", samples=300, freq=3, **shown),
        ],
    )


if __name__ == "__main__":
    main()
