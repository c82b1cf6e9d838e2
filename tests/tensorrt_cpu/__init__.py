"""TensorRT in tests: a real parser and builder without a GPU, and a simulated GPU for what runs on one."""
