"""Runs the tests and ends with "N passed, N failed".

tests/run                what fits in 15 minutes: fixed seeds, sampled kill points
tests/run --full         everything, without a time limit
tests/run --only STEP    one step: unit, sanitize, system, crash (may be repeated)
"""
import argparse
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
SANITIZED = os.path.join(TOP, "build-sanitize")
# a sanitized suite is not run again for what these are about: clients, tools and stubs of daemons
PLAIN_ONLY = ("test_clients", "test_client_libraries", "test_imap_clients", "test_logs", "test_master", "test_quickstart")
STREAMS = 2                             # test files at once: most of their time is waiting
PYTEST_PASSED, PYTEST_FAILED, PYTEST_NONE = 0, 1, 5


class Tally:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.unstable = []

    def add(self, passed, failed):
        self.passed += passed
        self.failed += failed

    def second_try(self, name, is_good):
        self.add(is_good, not is_good)
        if is_good:
            self.unstable.append(name)
        else:
            print(f"failed twice: {name}")


def say(text):
    print(f"==> {text}", flush=True)


def run(args, **kw):
    return subprocess.run(args, cwd=TOP, **kw).returncode


def install(full):
    """apt only when something is missing: a second run takes no time."""
    wanted, section = [], ""
    for line in open(os.path.join(TOP, "tools", "deps.txt")):
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line
        elif line and section != "[bench]" and (full or section != "[full]"):
            wanted.append(line)
    query = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"], capture_output=True, text=True)
    there = {row.split()[0] for row in query.stdout.splitlines() if " ii" in row}
    missing = [p for p in wanted if p not in there]
    if not missing:
        return
    say("installing " + " ".join(missing))
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    # a package that starts a service of its own at installation would take the ports of the tests
    policy = "/usr/sbin/policy-rc.d"
    made_policy = os.geteuid() == 0 and not os.path.exists(policy)
    if made_policy:
        with open(policy, "w") as f:
            f.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        run(sudo + ["apt-get", "update", "-q"], env=env)
        if run(sudo + ["apt-get", "install", "-y", "-q", "--no-install-recommends"] + missing, env=env) != 0:
            sys.exit("tests/run: apt-get could not install: " + " ".join(missing))
    finally:
        if made_policy:
            os.unlink(policy)


def configure(directory, options, env):
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        if run(["meson", "setup", directory] + options, env=env) != 0:
            sys.exit(f"tests/run: meson setup {directory} failed")
    if run(["ninja", "-C", directory], env=env) != 0:
        sys.exit(f"tests/run: the build in {directory} failed")


def meson_results(directory, env, extra):
    """Runs tests, yields (name, result) for each."""
    args = ["meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "4"]
    run(args + extra, env=env)
    with open(os.path.join(directory, "meson-logs", "testlog.json")) as log:
        return [(r["name"].split(" / ")[-1], r["result"]) for r in map(json.loads, log)]


def meson_test(directory, tally, env):
    failed = []
    for name, result in meson_results(directory, env, []):
        if result in ("OK", "EXPECTEDFAIL"):
            tally.add(1, 0)
        elif result == "SKIP":
            tally.skipped.append(f"{name}: it says so itself")
        else:
            failed.append(name)
    if not failed:
        return
    # a second try, alone on the machine, tells a starved test from a broken one; both are named at the end
    for name, result in meson_results(directory, env, ["--num-processes", "1"] + failed):
        tally.second_try(f"{name} in {os.path.basename(directory)}", result == "OK")


def compiler(name):
    env = dict(os.environ)
    env["CC"] = f"ccache {name}" if shutil.which("ccache") else name
    return env


def build():
    configure(BUILD, ["-Dwerror=true"], compiler("gcc"))


def step_unit(tally, full):
    say("build with gcc, unit, session, fuzz corpus and style tests")
    build()
    meson_test(BUILD, tally, compiler("gcc"))


def step_sanitize(tally, full):
    say("the same with clang, AddressSanitizer and UndefinedBehaviorSanitizer")
    configure(SANITIZED, ["-Dwerror=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"], compiler("clang"))
    env = compiler("clang")
    env["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=1"
    meson_test(SANITIZED, tally, env)
    say("system tests with the sanitized build")
    pytest("tests/system", tally, STREAMS, ["unsanitized"] if full else ["unsanitized", "full"],
           {"SURAT_BUILD": SANITIZED, "ASAN_OPTIONS": "detect_leaks=0"}, () if full else PLAIN_ONLY)


def pytest_cases(args, env):
    """Runs pytest; (id, "passed", "failed" or "skipped", reason) of each test, what it printed, and the seconds it took."""
    start = time.monotonic()
    base = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "--tb=short", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
    cases = []
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        done = subprocess.run(base + [f"--junitxml={report.name}"] + args, cwd=TOP, env=env, stdin=subprocess.DEVNULL, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode not in (PYTEST_PASSED, PYTEST_FAILED, PYTEST_NONE):
            sys.exit(f"{done.stdout}\ntests/run: pytest ended with {done.returncode}")
        for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
            where = f"tests/{case.get('file')}" if not case.get("file", "").startswith("tests/") else case.get("file")
            skipped = case.find("skipped")
            is_bad = case.find("failure") is not None or case.find("error") is not None
            cases.append((f"{where}::{case.get('name')}", "failed" if is_bad else "skipped" if skipped is not None else "passed",
                          skipped.get("message") if skipped is not None else ""))
    return cases, done.stdout, time.monotonic() - start


def pytest(folder, tally, streams, without, options, left_out=()):
    """Every test file of folder, several at once, the largest first; then again, alone, what failed."""
    env = dict(os.environ, **options)
    extra = ["-m", " and ".join(f"not {mark}" for mark in without)] if without else []
    files = [f for f in glob.glob(f"{folder}/test_*.py", root_dir=TOP) if os.path.basename(f)[:-3] not in left_out]
    files.sort(key=lambda f: -os.path.getsize(os.path.join(TOP, f)))
    failed = []
    with concurrent.futures.ThreadPoolExecutor(streams) as pool:
        runs = {pool.submit(pytest_cases, extra + [f], env): f for f in files}
        for done in concurrent.futures.as_completed(runs):
            cases, text, seconds = done.result()
            bad = [case for case, result, _ in cases if result == "failed"]
            good = sum(result == "passed" for _, result, _ in cases)
            print(f"{runs[done]}: {good} passed, {len(bad)} failed in {seconds:.0f} s" + (f"\n{text}" if bad else ""), flush=True)
            tally.add(good, 0)
            tally.skipped += [f"{case}: {reason}" for case, result, reason in cases if result == "skipped"]
            failed += bad
    if failed:
        cases, text, _ = pytest_cases(failed, env)
        print(text, flush=True)
        for case, result, _ in cases:
            tally.second_try(case, result == "passed")


def step_system(tally, full):
    say("system tests: the real suite, real clients")
    build()
    pytest("tests/system", tally, STREAMS, [] if full else ["full"], {"SURAT_BUILD": BUILD})


def step_crash(tally, full):
    say("crash tests: kill at system calls and at random moments" + ("" if full else " (sampled)"))
    build()
    pytest("tests/crash", tally, 1, [], {"SURAT_BUILD": BUILD, "SURAT_CRASH_SAMPLE": "all" if full else "sample"})


STEPS = {"unit": step_unit, "sanitize": step_sanitize, "system": step_system, "crash": step_crash}


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", action="append", choices=sorted(STEPS))
    parser.add_argument("--no-install", action="store_true", help="take the machine as it is")
    args = parser.parse_args()
    tally = Tally()
    start = time.monotonic()

    if not args.no_install:
        install(args.full)
    for name, step in STEPS.items():
        if args.only and name not in args.only:
            continue
        step(tally, args.full)
        say(f"{name} done after {time.monotonic() - start:.0f} s: {tally.passed} passed, {tally.failed} failed so far")
    for name in tally.unstable:
        print(f"unstable, passed at the second try: {name}")
    for reason in tally.skipped:
        print(f"skipped: {reason}")
    tail = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{tail}")
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
