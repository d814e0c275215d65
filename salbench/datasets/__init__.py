"""Data sets as lists of stimuli: one module says how a data set's files lie on disk, the rest never has to know."""

from salbench.datasets.arrays import fixation_table, from_arrays
from salbench.datasets.dataset import Dataset
from salbench.datasets.folder import image_folder, open_folder
from salbench.datasets.stimulus import Fixations, Stimulus

__all__ = ["Dataset", "Fixations", "Stimulus", "fixation_table", "from_arrays", "image_folder", "open_folder"]
