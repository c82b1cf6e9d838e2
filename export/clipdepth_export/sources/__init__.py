"""The kinds of models that can be exported: a module each, which makes an `ExportSource`."""
