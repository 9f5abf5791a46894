"""rlvr-explorer: did the base model already have this? One problem at a time, over SSH."""

__version__ = "0.1.0"
