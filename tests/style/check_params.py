#!/usr/bin/env python3
"""Every stanza of conf/params must be read somewhere, not only be spoken of: a parameter that does nothing misleads whoever
sets it.

check_params.py [--strict] [TOP]    lists stanzas whose field no hand-written C file names; with --strict that is a failure
"""
import pathlib
import re
import sys


def main():
    args = sys.argv[1:]
    strict = "--strict" in args
    top = pathlib.Path(next((a for a in args if not a.startswith("-")), pathlib.Path(__file__).parents[2]))
    sys.path.insert(0, str(top / "lib" / "conf"))
    import genparams

    words = set()
    for path in top.glob("**/*.[ch]"):
        parts = path.relative_to(top).parts
        if parts[0].startswith("build") or parts[0] == "tests" or (parts[0] == "tools" and path.name.startswith("check")):
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(errors="replace"), flags=re.S)
        words.update(re.findall(r"\w+", re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: m[0] if m[0][1:-1].isidentifier() else "", text)))
    params = genparams.read_all(sorted((top / "conf" / "params").glob("*.param")))
    unread = [p for p in params if p.field not in words and p.name not in words]
    for p in unread:
        print(f"{p.owner}.param: {p.name} is read nowhere")
    print(f"{len(params)} parameters, {len(unread)} read nowhere")
    return 1 if unread and strict else 0


if __name__ == "__main__":
    sys.exit(main())
