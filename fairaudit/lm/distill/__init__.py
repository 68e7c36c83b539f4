"""Counterfactual distillation: a smaller language model that learns from a teacher asked twice."""
