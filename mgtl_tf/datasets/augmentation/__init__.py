"""Random changes of a training batch, in graph, functions of a seed alone.

Every function takes `share` = (i, n) where its images are the i-th of n equal
parts of a batch: each image changes, to the bit, as in the complete batch.
"""
