"""From descriptors to places: search, localizer, pictures, report."""
