"""Prediction sensitivity: how much a model's predictions move with a protected attribute."""
