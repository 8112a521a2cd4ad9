"""Makes a procedural world: maps, pictures, tables, contact sheet."""

from __future__ import annotations

from pathlib import Path

from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.contact_sheet import write_contact_sheet
from mgtl_tf.synthetic.making import make_pictures
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock


def make_world(
    settings: WorldSettings,
    output_dir: str | Path,
    processes: int = 1,
    progress: bool = True,
) -> Path:
    """Makes a world, or goes on with one that was interrupted.

    Args:
        settings: of the world.
        output_dir: its folder, in CVUSA's layout when finished.
        processes: how many work at once; the files do not depend on it.
        progress: whether to show a progress bar.

    Returns:
        the path of the contact sheet.

    Raises:
        UserError: for a folder that holds another world or something else,
            that another process is filling or the disk has no room for; or
            an impossible number of processes.
    """
    if processes < 1:
        raise UserError(f"--processes is {processes}: give at least 1")
    root = Path(output_dir)
    files.open_folder(root, settings)
    with hold_lock(root / LOCK, f"--output_dir={root}", "making this world"):
        make_pictures(root, settings, processes, progress)
        return write_contact_sheet(root, settings)
