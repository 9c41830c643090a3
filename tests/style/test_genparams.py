#!/usr/bin/env python3
"""The generator of the parameter table refuses stanzas that would mislead, and its manual page is whole."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).parents[2]
GENERATOR = TOP / "lib" / "conf" / "genparams.py"
GOOD = "Name: a_time\nType: time\nDefault: 5m\nRange: 1s..1d\nReload: session\nSince: 0.1\n\nProse of a_time.\n"


def generate(mode, **files):
    with tempfile.TemporaryDirectory() as tmp:
        for name, text in files.items():
            pathlib.Path(tmp, name + ".param").write_text(text)
        paths = sorted(str(p) for p in pathlib.Path(tmp).glob("*.param"))
        out = tmp if mode == "c" else str(pathlib.Path(tmp, "out"))
        run = subprocess.run([sys.executable, GENERATOR, mode, out, *paths], capture_output=True, text=True)
        made = {p.name: p.read_text() for p in pathlib.Path(tmp).iterdir()}
        return run, made


class Stanzas(unittest.TestCase):
    def test_good(self):
        run, made = generate("c", x=GOOD, y=GOOD.replace("a_time", "b-time").replace("5m", "2"))
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("struct x_conf {\n\tuint64_t a_time_ms;\n};", made["params.h"])
        self.assertIn("uint64_t b_time_ms;", made["params.h"])
        self.assertIn("1000u, 86400000u, 1000u", made["params.c"])

    def test_refused(self):
        for label, text, message in [
            ("unknown key", GOOD.replace("Reload", "Relaod"), "unknown keys ['Relaod']"),
            ("no default", GOOD.replace("Default: 5m\n", ""), "missing keys ['Default']"),
            ("default out of range", GOOD.replace("5m", "2d"), "Default is out of Range"),
            ("no number", GOOD.replace("5m", "soon"), "'soon' is no time"),
            ("unknown type", GOOD.replace("time\nDef", "date\nDef"), "unknown Type date"),
            ("no prose", GOOD.split("\n\n")[0], "prose is missing"),
            ("twice", GOOD + "%%\n" + GOOD, "a_time stands in"),
            ("key twice", "Type: int\n" + GOOD, "bad line 'Type: time'"),
            ("word not allowed", GOOD.replace("time\nDef", "enum\nDef").replace("1s..1d", "a|b"), "Default is none of"),
            ("neither yes nor no", "Name: b\nType: bool\nDefault: maybe\nSince: 0.1\n\nP.\n", "neither yes nor no"),
            ("range of a text", "Name: b\nType: string\nDefault: x\nRange: 1..2\nSince: 0.1\n\nP.\n", "has no Range"),
        ]:
            with self.subTest(label):
                run, _ = generate("c", x=text)
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(message, run.stderr)

    def test_manual_page(self):
        paths = sorted(str(p) for p in (TOP / "conf" / "params").glob("*.param"))
        with tempfile.NamedTemporaryFile() as out:
            subprocess.run([sys.executable, GENERATOR, "man", out.name, *paths], check=True)
            text = pathlib.Path(out.name).read_text()
        self.assertIn(".It Va smtpd_timeout Pq 300s\n", text)
        self.assertEqual(text.count("\n.It "), sum(pathlib.Path(p).read_text().count("Name: ") for p in paths))


if __name__ == "__main__":
    unittest.main()
