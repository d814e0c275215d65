"""Named configurations: the paper's experiments and the authors' released code.

Plain data: the fields of SalGANConfig that are not left at their defaults, or that name the experiment.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CONTENT_EPOCHS = 15
RELEASED_EPOCH = 90
"""The epoch whose generator the authors published: 15 of content loss alone, then adversarial ones."""


def content_only(loss: str) -> dict[str, Any]:
    """A content loss alone, as in the rows of Table 2."""
    return {"loss": loss, "epochs": CONTENT_EPOCHS, "adversarial_epochs": 0}


GAN4 = {**content_only("bce4"), "adversarial_epochs": RELEASED_EPOCH - CONTENT_EPOCHS}

ORIGINAL_CODE = {
    **GAN4,
    "optimizer": "adagrad-lasagne",
    "weight_decay": 0.0,
    "discriminator_pool1": 4,
    "discriminator_pad": 0,
    "discriminator_weight_norm": True,
    "vgg_weights": "caffe",
}
"""The released code wherever it differs from the paper. Caffe's preprocessing comes with its weights."""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        **{loss: content_only(loss) for loss in ("mse", "bce", "bce2", "bce4", "bce8")},
        "gan4": GAN4,
        "original-code": ORIGINAL_CODE,
    }
)
