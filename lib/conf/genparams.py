#!/usr/bin/env python3
"""Turns conf/params/*.param into the C table and structs, and puts them into manual pages.

genparams.py c DIR FILE...      params.h and params.c
genparams.py man OUT FILE...    the list of all parameters
genparams.py page OUT FILE...   the one *.in among the files, with its lists of parameters filled in

A stanza is "Key: value" lines, an empty line and prose; "%%" stands between stanzas. Keys: Name, Type, Default, Range
(LOW..HIGH of numbers, or words separated by "|" of an enum), Unit (of a bare time: s by default), Reload, Since.
"""
import pathlib
import re
import sys

UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000, "w": 604800000}
SIZES = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
C_TYPES = {"string": "const char *", "raw": "const char *", "file": "const char *", "origin": "const char *",
           "bool": "bool ", "int": "uint64_t ", "size": "uint64_t ", "time": "uint64_t ",
           "list": "struct conf_list ", "maps": "struct conf_list ", "networks": "struct conf_list "}
KEYS = {"Name", "Type", "Default", "Range", "Unit", "Reload", "Since"}
RELOAD = ("session", "reload", "restart")
U64_MAX = (1 << 64) - 1


class Bad(Exception):
    pass


def number(text, kind, unit):
    m = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", text.strip())
    table = UNITS if kind == "time" else SIZES
    if not m or (kind == "int" and m[2]) or (m[2] and m[2] not in table):
        raise Bad(f"'{text}' is no {kind}")
    if kind == "time":
        return int(m[1]) * UNITS[m[2] or unit]
    return int(m[1]) * SIZES[m[2]]


class Param:
    def __init__(self, owner, fields, prose, where):
        self.owner, self.prose, self.where = owner, prose, where
        unknown = set(fields) - KEYS
        missing = {"Name", "Type", "Default", "Since"} - set(fields)
        if unknown or missing:
            raise Bad(f"unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
        self.name, self.type, self.default = fields["Name"], fields["Type"], fields["Default"]
        self.reload = fields.get("Reload", "reload")
        self.since = fields["Since"]
        self.unit = fields.get("Unit", "s")
        self.range = fields.get("Range", "")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", self.name):
            raise Bad("bad Name")
        if self.type != "enum" and self.type not in C_TYPES:
            raise Bad(f"unknown Type {self.type}")
        if self.reload not in RELOAD or self.unit not in UNITS:
            raise Bad("bad Reload or Unit")
        if not prose:
            raise Bad("prose is missing")
        self.check_range()

    def check_range(self):
        self.low, self.high, self.words = 0, U64_MAX, []
        if self.type == "enum":
            self.words = [w.strip() for w in self.range.split("|")]
            if self.default not in self.words:
                raise Bad(f"Default is none of {self.words}")
        elif self.type in ("int", "size", "time"):
            if self.range:
                low, dots, high = self.range.partition("..")
                if not dots:
                    raise Bad("Range is LOW..HIGH")
                self.low = number(low, self.type, self.unit) if low else 0
                self.high = number(high, self.type, self.unit) if high else U64_MAX
            if "$" not in self.default and not self.low <= number(self.default, self.type, self.unit) <= self.high:
                raise Bad("Default is out of Range")
        elif self.range:
            raise Bad(f"a {self.type} has no Range")
        elif self.type == "bool" and self.default not in ("yes", "no"):
            raise Bad("Default is neither yes nor no")

    @property
    def base(self):
        return ("n" if self.name[0].isdigit() else "") + self.name.replace("-", "_")

    @property
    def field(self):
        return self.base + ("_ms" if self.type == "time" else "")

    @property
    def c_decl(self):
        return (f"enum {self.base} " if self.type == "enum" else C_TYPES[self.type]) + self.field

    def constant(self, word):
        return (self.base + "_" + (re.sub(r"\W", "_", word) or "unset")).upper()


def read_file(path):
    owner = path.stem
    for n, block in enumerate(re.split(r"(?m)^%%\n", path.read_text()), 1):
        head, _, prose = block.strip("\n").partition("\n\n")
        where = f"{path.name}, stanza {n}"
        try:
            fields = {}
            for line in head.split("\n"):
                key, colon, value = line.partition(":")
                if not colon or key in fields:
                    raise Bad(f"bad line '{line}'")
                fields[key] = value.strip()
            yield Param(owner, fields, prose.strip(), where)
        except Bad as e:
            sys.exit(f"{where} ({fields.get('Name', '?')}): {e}")


def read_all(paths):
    params = [p for path in sorted(paths) for p in read_file(path)]
    seen = {}
    for p in params:
        if p.name in seen:
            sys.exit(f"{p.where}: {p.name} stands in {seen[p.name]} too")
        seen[p.name] = p.where
    return params


def read_foreign(path):
    for line in path.read_text().split("\n"):
        if line and not line.startswith("#"):
            name, kind, advice = line.split(None, 2)
            if kind not in ("ignored", "refused"):
                sys.exit(f"{path.name}: {line}: neither ignored nor refused")
            yield name, kind == "refused", advice


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def header(params):
    out = ["/* params.h: one struct per file of conf/params, made from it by genparams.py */", "#ifndef CONF_PARAMS_H",
           "#define CONF_PARAMS_H", "", "#include <stdbool.h>", "#include <stdint.h>", "", '#include "conf/conf.h"', ""]
    for p in params:
        if p.type == "enum":
            out += [f"enum {p.base} {{ {', '.join(p.constant(w) for w in p.words)} }};", ""]
    for owner in sorted({p.owner for p in params}):
        out.append(f"struct {owner}_conf {{")
        out += [f"\t{p.c_decl};" for p in params if p.owner == owner]
        out += ["};", "", "/* Typed and checked; strings go into a. -1 ERR_CONF names file, line and parameter."
                " No blocking. */",
                f"int {owner}_conf_read(struct {owner}_conf *out_r, const struct conf *c, struct arena *a,"
                " struct err *err) WARN_UNUSED;", ""]
    return "\n".join(out + ["#endif", ""])


def source(params, foreign):
    out = ['#include "conf/params.h"', "", "#include <stddef.h>", "", '#include "conf/param.h"', ""]
    for p in params:
        if p.words:
            out.append(f"static const char *const words_{p.base}[] = {{ {', '.join(map(quote, p.words))}, NULL }};")
    out += ["", "const struct param param_table[] = {"]
    for p in sorted(params, key=lambda p: p.name.encode()):
        words = f"words_{p.base}" if p.words else "NULL"
        shown = ", ".join(p.words) if p.words else p.range
        out += [f"\t{{ {quote(p.name)}, {quote(p.owner)}, {quote(p.default)},",
                f"\t  PARAM_{p.type.upper()}, PARAM_{p.reload.upper()}, {p.low}u, {p.high}u, {UNITS[p.unit]}u, {words},"
                f" {quote(shown)},", f"\t  offsetof(struct {p.owner}_conf, {p.field}) }},"]
    out += ["};", f"const size_t param_count = {len(params)};", "",
            "const struct param_foreign param_foreign_table[] = {"]
    out += [f"\t{{ {quote(name)}, {'true' if refused else 'false'}, {quote(advice)} }},"
            for name, refused, advice in foreign]
    out += ["};", f"const size_t param_foreign_count = {len(foreign)};"]
    for owner in sorted({p.owner for p in params}):
        out += ["", f"int {owner}_conf_read(struct {owner}_conf *out_r, const struct conf *c, struct arena *a,"
                " struct err *err)", "{", f'\treturn param_read_all("{owner}", out_r, c, a, err);', "}"]
    return "\n".join(out + [""])


def roff(text):
    """mdoc(7) wants each sentence to begin a line."""
    text = re.sub(r"([.!?]\)?) +(?=\S)", r"\1\n", text)
    return re.sub(r"(?m)^([.'])", r"\\&\1", text.replace("\\", "\\e"))


def man(params):
    out = []
    for p in sorted(params, key=lambda p: p.name):
        default = p.default or "empty"
        prose = roff(re.sub(r"\n\n+", "\n.Pp\n", p.prose)).replace("\\&.Pp", ".Pp")
        out += [f".It Va {p.name} Pq {roff(default)}", prose]
        if p.range:
            out.append(f"Allowed: {roff(p.range)}.")
        if p.reload == "restart":
            out.append("A change takes effect after a restart.")
    return "\n".join([".Bl -tag -width Ds"] + out + [".El", ""])


def page(text, params):
    """A manual page with "@params OWNER...@" (all owners when none is named) replaced by the list."""
    def chosen(m):
        owners = m[1].split() or {p.owner for p in params}
        if not set(owners) <= {p.owner for p in params}:
            sys.exit(f"{m[0]}: there is no such file in conf/params")
        return man(p for p in params if p.owner in owners)
    return re.sub(r"(?m)^@params(.*)@\n", chosen, text)


def main():
    mode, out, *paths = sys.argv[1:]
    paths = [pathlib.Path(p) for p in paths]
    params = read_all(p for p in paths if p.suffix == ".param")
    foreign = [row for p in paths if p.suffix == ".list" for row in read_foreign(p)]
    if mode == "c":
        pathlib.Path(out, "params.h").write_text(header(params))
        pathlib.Path(out, "params.c").write_text(source(params, foreign))
    elif mode == "man":
        pathlib.Path(out).write_text(man(params))
    elif mode == "page":
        text = next(p for p in paths if p.suffix == ".in").read_text()
        pathlib.Path(out).write_text(page(text, params))


if __name__ == "__main__":
    main()
