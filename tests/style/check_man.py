#!/usr/bin/env python3
"""Manual pages: each daemon and each kind of file has one, mandoc finds no fault, references lead to pages of ours, and
surat(1) knows every command.

check_man.py TOP PAGE...
"""
import pathlib
import re
import shutil
import subprocess
import sys

FOREIGN = {"postconf.1"}


def main():
    top, pages = pathlib.Path(sys.argv[1]), [pathlib.Path(p) for p in sys.argv[2:]]
    names = {p.name for p in pages} | {"mailq.1", "newaliases.1"} | FOREIGN
    faults = []
    for main_c in top.glob("*/main.c"):
        if f"{main_c.parent.name}.8" not in names:
            faults.append(f"{main_c.parent.name}(8) is missing")
    for page in pages:
        text = page.read_text()
        if "@params" in text:
            faults.append(f"{page.name}: a list of parameters was not filled in")
        for name, section in re.findall(r"(?m)^\.Xr (\S+) (\d)", text):
            if f"{name}.{section}" not in names:
                faults.append(f"{page.name}: there is no {name}({section})")
    surat = next(p for p in pages if p.name == "surat.1").read_text()
    for command in re.findall(r'(?m)^\t\{ "(\w+)", cmd_', (top / "tools" / "surat.c").read_text()):
        if not re.search(rf"(?m)^\.(Cm|It Cm) .*\b{command}\b", surat):
            faults.append(f"surat.1: {command} is missing")
    print("\n".join(faults))
    if faults:
        return 1
    if not shutil.which("mandoc"):
        print("mandoc is not installed")
        return 77
    return subprocess.run(["mandoc", "-Tlint", "-Wwarning", *pages]).returncode


if __name__ == "__main__":
    sys.exit(main())
