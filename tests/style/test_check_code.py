#!/usr/bin/env python3
"""check_code.py finds what it is there for, and nothing in code that is right."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).parent / "check_code.py"
GOOD_H = "/* x.h: a thing */\n#ifndef X\n#define X\n\n/* Makes one. Source: x.c */\nint x_new(int a,\n\t  int b);\nvoid x_free(int a);\n#endif\n"


def check(**files):
    with tempfile.TemporaryDirectory() as tmp:
        for name, text in files.items():
            path = pathlib.Path(tmp, *name.split("__"))
            path = path.with_name(path.name[:-2] + "." + path.name[-1])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([sys.executable, CHECK, tmp], capture_output=True, text=True)
        return run.returncode, run.stdout


def body(lines, above=""):
    return f"{above}static int f(void)\n{{\n" + "\tx();\n" * (lines - 2) + "}\n"


class Code(unittest.TestCase):
    def test_good(self):
        code, out = check(lib__conf__x_h=GOOD_H, lib__conf__x_c='#include "base/err.h"\n#include "conf/x.h"\n\n' + body(80),
                          smtpd__a_c='#include "svc/daemon.h"\n#include "smtpd/b.h"\n/* rand() */ char *z = "strtok(x)";\n',
                          tools__t_c='#include "auth/x.h"\n', lib__proto__p_c=body(120, "/* a parser: switch */\n"))
        self.assertEqual(code, 0, out)
        self.assertIn("2 functions: median 100 lines, longest 120", out)

    def test_faults(self):
        for label, files, message in [
            ("upward", {"lib__base__a_c": '#include "io/x.h"\n'}, "lib/base/a.c:1: base may not include io"),
            ("sideways", {"smtpd__a_c": '\n#include "qmgr/x.h"\n'}, "smtpd/a.c:2: smtpd may not include qmgr"),
            ("library of a daemon", {"lib__svc__a_c": '#include "smtpd/x.h"\n'}, "svc may not include smtpd"),
            ("long file", {"lib__base__a_c": "\n" * 1001}, "1001 lines"),
            ("long function", {"lib__base__a_c": body(81)}, "lib/base/a.c:1: f has 81 lines"),
            ("long parser", {"lib__base__a_c": body(121, "/* a parser: switch */\n")}, "f has 121 lines"),
            ("no head", {"lib__base__a_h": "#define A\n"}, "lib/base/a.h:1: the first line"),
            ("no comment", {"lib__base__x_h": GOOD_H + "\nint x_more(void);\n"}, "lib/base/x.h:11: a prototype"),
            ("TLS elsewhere", {"qmgr__a_c": '#include "tls/tls.h"\n'}, "qmgr/a.c:1: qmgr may not use TLS"),
            ("left to do", {"qmgr__a_c": "/* TODO: more */\n"}, "qmgr/a.c:1: work that is left"),
            ("banned", {"smtpd__a_c": "int a = rand();\n"}, "smtpd/a.c:1: rand()"),
        ]:
            code, out = check(**files)
            self.assertEqual(code, 1, label)
            self.assertIn(message, out, label)


if __name__ == "__main__":
    unittest.main()
