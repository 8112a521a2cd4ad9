"""From descriptors to places: gallery index, search, pictures, report."""
