"""Systems on ConvNeXt, and where its weights come from."""
