"""Debian's Roundcube in a temporary folder on PHP's own web server, and a headless Chromium that clicks in it."""
import contextlib
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import urllib.request

from instance import wait_for

HOME = pathlib.Path("/var/lib/roundcube/public_html")
SCHEMA = pathlib.Path("/usr/share/roundcube/SQL/sqlite.initial.sql")
PATIENCE = 60


def missing():
    """What is not installed, as words for a skip; empty when all is there."""
    lacking = [name for name in ("chromium", "chromedriver", "php") if not shutil.which(name)]
    lacking += [str(p) for p in (HOME, SCHEMA) if not p.exists()]
    if not importlib.util.find_spec("selenium"):
        lacking.append("python3-selenium")
    return ", ".join(lacking)


class Roundcube:
    """with Roundcube(instance, folder) as r: r.url"""

    def __init__(self, i, where):
        self.where = where
        for name in ("config", "logs", "temp"):
            (where / name).mkdir()
        for name in ("defaults.inc.php", "mimetypes.php"):
            (where / "config" / name).symlink_to(pathlib.Path("/etc/roundcube") / name)
        with contextlib.closing(sqlite3.connect(where / "db")) as db:
            db.executescript(SCHEMA.read_text())
        trust = f"['ssl' => ['verify_peer' => true, 'cafile' => '{i.cert}']]"
        (where / "config/config.inc.php").write_text(f"""<?php
$config = [
	'db_dsnw' => 'sqlite:///{where}/db?mode=0600',
	'log_dir' => '{where}/logs/', 'temp_dir' => '{where}/temp/', 'imap_debug' => true, 'smtp_debug' => true,
	'imap_host' => 'ssl://localhost:{i.port("imaps")}', 'imap_conn_options' => {trust},
	'smtp_host' => 'tls://localhost:{i.port("submission")}', 'smtp_conn_options' => {trust},
	'smtp_user' => '%u', 'smtp_pass' => '%p', 'des_key' => 'abcdefghijklmnopqrstuvwx',
	'plugins' => [], 'language' => 'en_US', 'message_sort_col' => 'date', 'login_rate_limit' => 100, 'draft_autosave' => 0,
];
""")
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def __enter__(self):
        env = {**os.environ, "ROUNDCUBE_CONFIG_DIR": str(self.where / "config"), "PHP_CLI_SERVER_WORKERS": "4"}
        with open(self.where / "logs/php", "wb") as out:
            self.server = subprocess.Popen(["php", "-S", f"127.0.0.1:{self.port}", "-t", HOME], env=env, stdin=subprocess.DEVNULL,
                                           stdout=out, stderr=out, start_new_session=True)
        try:
            wait_for("the page of Roundcube", self.answers, PATIENCE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            return b"_user" in urllib.request.urlopen(self.url, timeout=PATIENCE).read()

    def log(self, name):
        files = sorted((self.where / "logs").glob(f"{name}*"))
        return "".join(f.read_text(errors="replace") for f in files)

    def complaints(self):
        """What the server refused, and errors of Roundcube itself."""
        return re.findall(r".* S: (?:\S+ (?:NO|BAD)|\* BYE (?!Logging out)).*", self.log("imap")) + self.log("errors").splitlines()

    def __exit__(self, *exc):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.server.pid, signal.SIGTERM)
        self.server.wait()


class Browser:
    """Waits for what it is asked to click; photographs into SURAT_SCREENSHOTS when that is set."""

    def __init__(self, url, where):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.url = url
        self.downloads = where / "downloads"
        self.downloads.mkdir()
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1500,950", "--no-proxy-server",
                     "--disable-background-networking", f"--user-data-dir={where}/profile"):
            options.add_argument(word)
        options.add_experimental_option("prefs", {"download.default_directory": str(self.downloads)})
        options.binary_location = shutil.which("chromium")
        self.d = webdriver.Chrome(service=Service(shutil.which("chromedriver"), log_path=str(where / "chromedriver.log")), options=options)
        self.d.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.downloads)})

    def go(self, query):
        self.d.switch_to.default_content()
        self.d.get(self.url + "?" + query)
        self.idle()

    def idle(self):
        """No request of Roundcube's own under way."""
        wait_for("Roundcube is idle", lambda: self.d.execute_script("return document.readyState == 'complete' && window.rcmail && !rcmail.busy"), PATIENCE)

    def find(self, css, text=None):
        """The first visible element, with text in it if given."""
        from selenium.common.exceptions import StaleElementReferenceException

        def look():
            with contextlib.suppress(StaleElementReferenceException):
                for e in self.d.find_elements("css selector", css):
                    if e.is_displayed() and (text is None or text in e.text):
                        return e
            return None
        return wait_for(f"{css} {text or ''} on the page", look, PATIENCE)

    def click(self, css, text=None):
        from selenium.common.exceptions import WebDriverException

        def press():
            try:
                self.find(css, text).click()
                return True
            except WebDriverException:       # something moves over it, or the list was drawn anew
                return False
        wait_for(f"a click on {css} {text or ''}", press, PATIENCE)

    def type(self, css, text):
        self.find(css).send_keys(text)

    def texts(self, css):
        return [e.text for e in self.d.find_elements("css selector", css) if e.is_displayed()]

    @contextlib.contextmanager
    def frame(self, css):
        self.d.switch_to.frame(self.find(css))
        wait_for("the frame is read", lambda: self.d.execute_script("return document.readyState == 'complete'"), PATIENCE)
        try:
            yield
        finally:
            self.d.switch_to.default_content()

    def drag(self, what, to):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.d).click_and_hold(what).move_by_offset(-12, 6).move_to_element(to).pause(0.3).release().perform()

    def shot(self, name):
        folder = os.environ.get("SURAT_SCREENSHOTS")
        if folder:
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            self.d.save_screenshot(str(pathlib.Path(folder) / f"{name}.png"))

    def close(self):
        self.d.quit()
