"""`clipdepth bench` itself: contenders in rounds, their memory, and a stream through them."""
