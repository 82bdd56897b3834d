"""Campaigns: many trainings and measurements, run by run, so that they can be stopped; what several of them share."""
