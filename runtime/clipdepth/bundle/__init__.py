"""Bundles: the folder that holds all a device needs, its parts, and how each is checked."""
