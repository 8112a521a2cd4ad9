"""What an image decoder says on stderr while it returns an image all the same.

libjpeg fills the part of an image that it cannot make out with grey, libtiff
with zeros; both write a line to the process's stderr, and report success.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from types import TracebackType

# Other lines of the decoders tell of odd metadata, not of lost pixels.
_DAMAGE = re.compile(
    r"(?:Corrupt JPEG data|Premature end of JPEG file).*|(?<=TIFF_Error ).*"
)


class DecoderComplaints:
    """While it is entered, stderr's lines are held back and can be asked for.

    The descriptor itself is turned away, so nothing else may write to stderr
    meanwhile: for processes that decode in a single thread.
    """

    def __enter__(self) -> DecoderComplaints:
        self._held = tempfile.TemporaryFile()
        self._seen = 0
        sys.stderr.flush()
        self._kept = os.dup(2)
        os.dup2(self._held.fileno(), 2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)
        self._held.close()

    def newest(self) -> str:
        """The first complaint since the last call; "" if there was none."""
        # The file's position moves with what is written through descriptor 2.
        end = os.lseek(self._held.fileno(), 0, os.SEEK_CUR)
        if end == self._seen:
            return ""
        new = os.pread(self._held.fileno(), end - self._seen, self._seen)
        self._seen = end
        found = _DAMAGE.search(new.decode(errors="replace"))
        return found[0].strip() if found else ""
