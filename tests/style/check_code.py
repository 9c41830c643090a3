#!/usr/bin/env python3
"""What the compiler does not see: the direction of #include, sizes, head comments, comments above prototypes, and calls
that nobody may make.

check_code.py [TOP]     prints one line per fault, the number of wide lines and the medians; fails when there is a fault
"""
import pathlib
import re
import statistics
import sys

LAYERS = ["base", "io", "tls", "conf", "proto", "store", "svc"]
DAEMONS = ["master", "smtpd", "qmgr", "smtp", "local", "resolve", "anvil", "auth", "login", "imapd", "pop3d", "tools"]
TLS_USERS = ["smtpd", "login", "smtp", "tools"]
FILE_MAX, FUNCTION_MAX, PARSER_MAX, COLUMNS_MAX = 1000, 80, 120, 120
BANNED = re.compile(r"\b(rand|srand|random|srandom|drand48|strtok|strtok_r|gets|tmpfile|setjmp|longjmp|vfork)\s*\(")
TOKENS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text):
    """The same text with comments and literals emptied; lines stay where they are."""
    return TOKENS.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def check_includes(rel, text):
    where = rel.parts[1] if rel.parts[0] == "lib" else rel.parts[0]
    for n, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s+"([^"/]+)/', line)
        if not m or m[1] == where:
            continue
        if m[1] == "tls" and where in DAEMONS and where not in TLS_USERS:
            yield f"{rel}:{n}: {where} may not use TLS"
        if where == "tools" or (where in DAEMONS and m[1] in LAYERS):
            continue
        if where in LAYERS and m[1] in LAYERS and LAYERS.index(m[1]) < LAYERS.index(where):
            continue
        yield f"{rel}:{n}: {where} may not include {m[1]}"


def functions(text):
    """(line, lines, name, comment above) of each function: in this style a body is a '{' in the first column."""
    lines, bare = text.split("\n"), blank(text).split("\n")
    start = None
    for n, line in enumerate(bare):
        if line == "{":
            start = n
        elif line == "}" and start is not None:
            head = start - 1
            while head > 0 and bare[head - 1].strip() and bare[head - 1][0] not in "}#":
                head -= 1
            while head > 0 and not bare[head].strip():
                head += 1
            name = re.search(r"(\w+)\s*\(", " ".join(bare[head:start]))
            above = head
            while above > 0 and lines[above - 1].strip() and not bare[above - 1].strip():
                above -= 1
            yield head + 1, n - start + 1, name[1] if name else "?", "\n".join(lines[above:start])
            start = None


def check_sizes(rel, text, sizes):
    count = text.count("\n")
    sizes["files"].append(count)
    if count > FILE_MAX:
        yield f"{rel}: {count} lines, more than {FILE_MAX}"
    sizes[f"lines over {COLUMNS_MAX} columns"].append(sum(len(line.expandtabs(8)) > COLUMNS_MAX for line in text.split("\n")))
    if rel.suffix != ".c":
        return
    for n, length, name, comment in functions(text):
        sizes["functions"].append(length)
        limit = PARSER_MAX if "switch" in comment and "parser" in comment.lower() else FUNCTION_MAX
        if length > limit:
            yield f"{rel}:{n}: {name} has {length} lines, more than {limit}"


def check_header(rel, text):
    if not re.match(r"/\* " + re.escape(rel.name) + r": \S", text):
        yield f"{rel}:1: the first line is not '/* {rel.name}: what it is for'"
    if rel.parts[0] != "lib":
        return
    lines, bare = text.split("\n"), blank(text).split("\n")
    for n, line in enumerate(bare):
        if not re.match(r"(?!static|typedef|return|#)\w[\w\s*]*\b\w+\s*\([^;{]*(;|$|,$)", line) or "_FIELDS" in line:
            continue
        above = n - 1
        while above >= 0 and lines[above].strip() and bare[above].strip() and bare[above][0] != "}":
            above -= 1
        if above < 0 or "*/" not in lines[above]:
            yield f"{rel}:{n + 1}: a prototype without a comment above its group"


def check_banned(rel, text):
    for n, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME)\b", line):
            yield f"{rel}:{n}: work that is left to do belongs into an issue"
    for n, line in enumerate(blank(text).split("\n"), 1):
        m = BANNED.search(line)
        if m:
            yield f"{rel}:{n}: {m[1]}() may not be called"


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    wide = f"lines over {COLUMNS_MAX} columns"
    sizes = {"files": [], "functions": [], wide: []}
    faults = []
    for folder in ["lib"] + DAEMONS:
        for path in sorted((top / folder).glob("**/*.[ch]")):
            rel, text = path.relative_to(top), path.read_text()
            faults += check_includes(rel, text)
            faults += check_sizes(rel, text, sizes)
            faults += check_banned(rel, text)
            if rel.suffix == ".h":
                faults += check_header(rel, text)
    print("\n".join(faults))
    print(f"{sum(sizes.pop(wide))} {wide}")
    for what, values in sizes.items():
        print(f"{len(values)} {what}: median {statistics.median(values):.0f} lines, longest {max(values)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
