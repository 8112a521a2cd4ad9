"""Files are brought to the disk meanwhile, and no failure is lost."""

import pytest

from mgtl_tf.datasets.decoded_cache import journal
from mgtl_tf.datasets.decoded_cache.journal import BackgroundSync


def test_every_so_many_bytes_and_at_the_end(monkeypatch):
    synced = []
    monkeypatch.setattr(journal, "sync", synced.append)
    files = BackgroundSync(["a", "b"], every=10)
    for count, expected in ((9, 0), (1, 2), (9, 2), (12, 4)):
        files.grew(count)
        if files._running is not None:
            files._running.result()
        assert len(synced) == expected
    files.finish()
    files.close()
    assert synced == ["a", "b"] * 3


@pytest.mark.parametrize("then", [lambda f: f.grew(10), lambda f: f.finish()])
def test_a_failure_in_the_background_is_told_later(monkeypatch, then):
    """The system tells of it once; what is asked next hears nothing."""
    failures = [OSError(5, "Input/output error")]

    def fail_once(_):
        if failures:
            raise failures.pop()

    monkeypatch.setattr(journal, "sync", fail_once)
    files = BackgroundSync(["a"], every=10)
    files.grew(10)
    files._running.exception()
    with pytest.raises(OSError, match="Input/output error"):
        then(files)
    files.close()
