"""What things take on the disk, as the disk counts it."""

from __future__ import annotations

import os


def disk_usage(path: str) -> int:
    """The room that a file or a directory with all that is in it takes on the disk, in bytes, as ``du`` counts.

    Hard links count once; what is missing, or can't be read, counts nothing.
    """
    try:
        total = os.lstat(path).st_blocks * 512
    except OSError:
        return 0
    seen: set[tuple[int, int]] = set()
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue  # not a directory, gone meanwhile, or not ours to read
    return total
