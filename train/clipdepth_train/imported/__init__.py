"""Models that clipdepth did not train: what they say of themselves, and their networks behind the frame contract."""
