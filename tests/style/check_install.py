#!/usr/bin/env python3
"""What "meson install" puts where: programs, links, samples and manual pages, and nothing else.

check_install.py TOP BUILD      compares meson's list with the tree
"""
import json
import pathlib
import subprocess
import sys


def introspect(build, what):
    run = subprocess.run(["meson", "introspect", what, build], check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def main():
    top, build = pathlib.Path(sys.argv[1]), sys.argv[2]
    options = {o["name"]: o["value"] for o in introspect(build, "--buildoptions")}
    place = {name: pathlib.Path(options["prefix"], options[name])
             for name in ("bindir", "sbindir", "libexecdir", "mandir", "datadir")}
    daemons = sorted(p.parent.name for p in top.glob("*/main.c")) + ["logger"]
    pages = [p.stem for p in (top / "docs" / "man").glob("*.in")] + ["mailq.1", "newaliases.1"]
    expected = {place["libexecdir"] / "surat" / d for d in daemons}
    expected |= {place["sbindir"] / n for n in ("surat", "sendmail")}
    expected |= {place["bindir"] / n for n in ("mailq", "newaliases")}
    expected |= {place["datadir"] / "surat" / n for n in ("main.cf", "master.cf")}
    expected |= {place["mandir"] / ("man" + p[-1]) / p for p in pages}
    installed = {pathlib.Path(p) for p in introspect(build, "--installed").values()}
    for path in sorted(expected - installed):
        print(f"not installed: {path}")
    for path in sorted(installed - expected):
        print(f"nobody expects: {path}")
    print(f"{len(installed)} files")
    return 1 if installed != expected else 0


if __name__ == "__main__":
    sys.exit(main())
