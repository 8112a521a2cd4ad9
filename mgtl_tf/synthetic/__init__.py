"""A seeded synthetic town, seen from above and from its streets.

settings -> what stands where (town/: terrain, streets, land, buildings,
vegetation; things = its arrays and colours) -> world (one map, its places, its
rasters on a canvas) -> what a camera sees (cameras/: render_aerial,
render_ground with rays, spans, shading; light = a day) -> pairs (and the cars
of each view) -> files, drawing (processes, resuming).

Val is map 0, train are maps 1, 2, ...: other streets and houses, the same
palette. Lengths are metres, east and north of a map's south-west corner;
azimuths are radians clockwise from north. An aerial image spans 60 m a side;
the panorama's camera stands 2.2 m above the ground.
"""
