"""What all tests of workflows share."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _plain_graphs(plain_graphs):
    """They are of files and their order; kernels are tested elsewhere."""
