"""INT8 by explicit Q/DQ: where the pairs stand for whom, and the layers that suffer left out."""
