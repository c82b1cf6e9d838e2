"""Whole archives of video through a bundle, on Ray Data: plan, decode, infer, encode, join."""
