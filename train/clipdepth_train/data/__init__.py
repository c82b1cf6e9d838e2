"""RGB-D data: downloading, the folder layout on disk, reading it, and what is done to a frame."""
