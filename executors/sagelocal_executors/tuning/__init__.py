"""Hyperparameter tuning: many training jobs, one winner."""
