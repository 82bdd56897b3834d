"""TIMAR as torch modules: configuration, turn layout, speech encoders, backbone, diffusion head, checkpoints."""
