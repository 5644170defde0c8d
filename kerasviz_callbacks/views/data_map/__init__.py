"""`DataMap`: which samples are learned, forgotten and never learned, and which labels are doubtful."""

from .data_map import DataMap as DataMap
