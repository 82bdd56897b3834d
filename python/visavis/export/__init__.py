"""Writers that turn a trained model into files that other programs run."""
