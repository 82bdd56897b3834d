"""The comparison of the TIMAR paper, measured again: which models, the runs of a campaign, the tables."""
