"""A depth model that a student learns from: which there are, and their answers, kept beside the pictures."""
