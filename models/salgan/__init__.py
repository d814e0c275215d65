"""SalGAN (Pan et al. 2017), trainable and as a plugin. Importing this package imports no torch."""

from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.plugin import SalGAN

__all__ = ["SalGAN", "SalGANConfig"]
