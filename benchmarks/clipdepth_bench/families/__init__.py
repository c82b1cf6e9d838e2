"""Families of contenders: a module each, whose `entries(setup)` lists them."""
