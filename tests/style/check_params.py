#!/usr/bin/env python3
"""Every stanza of conf/params must be read somewhere, not only be spoken of, and some test must set it: a parameter that does
nothing, or something else, misleads whoever sets it.

check_params.py [--strict] [TOP]    lists stanzas whose field no hand-written C file names, and those that no test names;
                                    with --strict that is a failure
"""
import pathlib
import re
import sys

# What no test can set, and why. A name that a test has after all does not belong here.
UNTESTED = {
    "map_cache_limit": "libunbound's own cache answers behind it; tests/unit/resolve/test_dns.c tries the limit itself",
}
# These set the stage for tests and look at nothing.
STAGE = {"rig.c", "rig.h", "fixture.c", "fixture.h", "transcript.c", "world.h", "fake_qmgr.h", "instance.py"}
TESTS = ("unit", "session", "system", "crash")


def read_names(top):
    words = set()
    for path in top.glob("**/*.[ch]"):
        parts = path.relative_to(top).parts
        if parts[0].startswith("build") or parts[0] == "tests" or (parts[0] == "tools" and path.name.startswith("check")):
            continue
        text = re.sub(r"/\*.*?\*/", "", path.read_text(errors="replace"), flags=re.S)
        words.update(re.findall(r"\w+", re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: m[0] if m[0][1:-1].isidentifier() else "", text)))
    return words


def tested_names(top):
    words = set()
    for folder in TESTS:
        for path in (top / "tests" / folder).rglob("*"):
            if path.suffix not in (".c", ".h", ".py", ".t") or path.name in STAGE:
                continue
            text = re.sub(r"/\*.*?\*/", "", path.read_text(errors="replace"), flags=re.S)
            words.update(re.findall(r"\w+", re.sub(r"\\[nrt]", " ", text)))
    return words


def main():
    args = sys.argv[1:]
    strict = "--strict" in args
    top = pathlib.Path(next((a for a in args if not a.startswith("-")), pathlib.Path(__file__).parents[2]))
    sys.path.insert(0, str(top / "lib" / "conf"))
    import genparams

    read, tested = read_names(top), tested_names(top)
    params = genparams.read_all(sorted((top / "conf" / "params").glob("*.param")))
    faults = [f"{p.owner}.param: {p.name} is read nowhere" for p in params if not {p.field, p.name} & read]
    for p in params:
        has_test = bool({p.field, p.name} & tested)
        if has_test and p.name in UNTESTED:
            faults.append(f"{p.owner}.param: {p.name} has a test and needs no exception")
        elif not has_test and p.name not in UNTESTED:
            faults.append(f"{p.owner}.param: no test names {p.name}: set it in one and look at what changes")
    faults += [f"an exception for {name}, which is no parameter" for name in set(UNTESTED) - {p.name for p in params}]
    print("\n".join(faults))
    print(f"{len(params)} parameters, {len(faults)} faults")
    return 1 if faults and strict else 0


if __name__ == "__main__":
    sys.exit(main())
