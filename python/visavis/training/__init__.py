"""Training: crops, the loop with its moving average, recipes, resumable runs."""
