#!/usr/bin/env python3
"""Unpacks what is named out of wheels into one new folder, which appears whole or not at all.

usage: unpack.py TARGET WHEEL FROM=TO [FROM=TO ...] [WHEEL FROM=TO ...] [LINK->NAME ...]

FROM is a file, or a folder when it ends in a slash, inside the wheel; TO is where it goes below TARGET.
`LINK->NAME` makes a symbolic link.
"""

import os
import shutil
import sys
import zipfile


def extract(archive, member, target):
    """Writes one member to `target` with the permissions it has in the archive."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with archive.open(member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    mode = member.external_attr >> 16 & 0o777
    if mode:
        os.chmod(target, mode)


def place(archive, rule, root):
    """Applies one FROM=TO rule and returns how many files it wrote."""
    source, _, destination = rule.partition("=")
    count = 0
    for member in archive.infolist():
        name = member.filename
        if member.is_dir() or ".." in name.split("/"):
            continue
        if name == source:
            path = os.path.join(root, destination)
        elif source.endswith("/") and name.startswith(source):
            path = os.path.join(root, destination, name[len(source):])
        else:
            continue
        extract(archive, member, path)
        count += 1
    return count


def main(target, *steps):
    partial = f"{target}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    archive = None
    for step in steps:
        if "->" in step:
            link, _, name = step.partition("->")
            os.symlink(name, os.path.join(partial, link))
        elif "=" in step:
            if place(archive, step, partial) == 0:
                sys.exit(f"unpack: {step.partition('=')[0]} is not in {archive.filename}")
        else:
            archive = zipfile.ZipFile(step)
    if os.path.lexists(target):
        old = f"{target}.old"
        shutil.rmtree(old, ignore_errors=True)
        os.rename(target, old)
        os.rename(partial, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(partial, target)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"unpack: {error}")
