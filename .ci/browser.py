"""Opens pages in a real Chromium, on a desk and on a telephone, in light and in dark, and looks for what is wrong.

    browser.py PAGE.html ...            exit code 1 and a line for each thing that is wrong
    browser.py --shots DIR PAGE ...     also keeps what it saw, as PNG

Wrong is: the page is broader than the window, a box reaches out of it or cuts its content, a letter of a plot lies on
another one or outside of its picture, text is too faint to read, a number has no unit, the page asks the network for
anything, or a table does not sort. Speaks to the browser through a pipe; needs nothing but Python and Chromium.
"""

import base64
import json
import os
import pathlib
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

SIZES = [(1280, 900), (400, 800)]
THEMES = ["light", "dark"]
SECONDS = 60

LOOK = r"""
(() => {
  const wrong = [];
  const say = (what, element) => {
    const text = (element?.textContent ?? "").trim().slice(0, 50);
    const tag = element ? ` <${element.tagName.toLowerCase()}> "${text}"` : "";
    if (wrong.length < 40) wrong.push(what + tag);
  };
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) say(`the page is ${document.documentElement.scrollWidth} broad`);
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  for (const e of document.querySelectorAll("main, main *, nav *")) {
    if (!shown(e) || e.closest("svg") && e.tagName !== "svg") continue;
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    const scrolls = e.parentElement?.closest(".scroll, pre");
    if (!scrolls && (box.right > width + 0.5 || box.left < -0.5)) say(`reaches from ${box.left} to ${box.right}`, e);
    if (["hidden", "clip"].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1) say("cuts its content", e);
    if (["auto", "scroll"].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0 && e.tagName !== "PRE")
      say("scrolls, but not by keyboard", e);
  }
  const units = /(ns|µs|ms|\ds| s|min|×|\/s|cores|%|B)$|cores|percentile/;
  for (const svg of document.querySelectorAll("svg.plot")) {
    if (!shown(svg)) continue;
    if (!svg.getAttribute("aria-label")) say("a plot without words", svg);
    const [, , w, h] = svg.getAttribute("viewBox").split(" ").map(Number);
    const texts = [...svg.querySelectorAll("text")];
    if (!texts.some((t) => units.test(t.textContent))) say("a plot without a unit", svg);
    const boxes = texts.map((t) => t.getBBox());
    boxes.forEach((b, i) => {
      if (b.x < -0.5 || b.y < -0.5 || b.x + b.width > w + 0.5 || b.y + b.height > h + 0.5) say("lies outside of its plot", texts[i]);
      for (let j = i + 1; j < boxes.length; j++) {
        const o = boxes[j];
        const across = Math.min(b.x + b.width, o.x + o.width) - Math.max(b.x, o.x);
        const down = Math.min(b.y + b.height, o.y + o.height) - Math.max(b.y, o.y);
        // Line boxes are higher than letters.
        if (across > 1 && down > 4) say(`lies on "${texts[j].textContent}"`, texts[i]);
      }
    });
  }
  const colour = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const part = (x) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  for (const e of document.querySelectorAll("p, td, th, li, figcaption, code, a, dt, dd, svg.plot text")) {
    if (!shown(e)) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(colour(e.tagName === "text" ? style.fill : style.color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) say("too faint to read", e);
  }
  // A bare number is a count, a ratio to itself, or in a column or table that says its unit.
  const counts = /^(n|block|trial|rows.*|nodes|workers|.*planner.*|blocks needed|ratio.*|.*CI|corrected|in force|.*per request.*)$|µs|\((ms|s|MB)\)/i;
  for (const table of document.querySelectorAll("main table")) {
    const heads = [...table.tHead.rows[0].cells].map((c) => c.textContent.trim());
    // Values of keys, as their author wrote them.
    if (heads.includes("factor")) continue;
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, i) => {
        const bare = /^[\d.,−-]+$/.test(cell.textContent.trim());
        const says = counts.test(heads[i]) || counts.test(heads[0]) || /per request|forced ones/.test(row.cells[0].textContent);
        if (bare && !says) say(`a number without a unit under "${heads[i]}"`, cell);
      });
    }
  }
  const head = document.querySelector("main th button");
  if (head) {
    const th = head.closest("th");
    const column = () => [...head.closest("table").tBodies[0].rows].map((row) => (row.cells[th.cellIndex]?.textContent ?? "").trim());
    // Rows of the same text may lie in any order.
    const texts = () => column().filter((text, i, all) => text !== all[i - 1]).join("\n");
    const before = column().sort().join("\n");
    head.click();
    const up = texts();
    if (th.getAttribute("aria-sort") !== "ascending") say("a table does not sort", head);
    head.click();
    const down = texts().split("\n").reverse().join("\n");
    // Numbers have an order of their own, and what is none comes last in both directions.
    const plain = column().every((text) => !/^[−+-]?[\d.]/.test(text));
    if (plain && up !== down) say("rows that are sorted down are not those sorted up, turned round", head);
    if (plain && new Set(column()).size > 1 && up === texts()) say("a table is told to be sorted, and its rows stay", head);
    if (column().sort().join("\n") !== before) say("a table loses rows when it is sorted", head);
  }
  const dark = light(colour(getComputedStyle(document.body).backgroundColor)) < 0.2;
  return { wrong, dark, tables: document.querySelectorAll("main table").length,
           plots: [...document.querySelectorAll("svg.plot")].filter(shown).length, height: document.documentElement.scrollHeight };
})()
"""


class Browser:
    """Chromium at the other end of a pipe: one JSON message, one zero byte."""

    def __init__(self, program, home):
        ours, theirs = os.pipe()
        back, forth = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        script = 'exec "$@" 3<&%d 4>&%d' % (ours, forth)
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                   "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank"]
        self.process = subprocess.Popen(["bash", "-c", script, "browser", *command], pass_fds=(ours, forth),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours)
        os.close(forth)
        self.out, self.into, self.rest, self.count, self.events = theirs, back, b"", 0, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    session = None

    def read(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.into], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            more = os.read(self.into, 1 << 16)
            if not more:
                raise EOFError("the browser is gone")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            answer = self.read(until)
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        until = time.monotonic() + SECONDS
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read(until))

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


def picture_mistakes(picture, width, height, theme):
    """What a picture shows that nobody wants to see: another size, one colour, or the other theme."""
    size = struct.unpack(">II", picture[16:24])
    if picture[:8] != b"\x89PNG\r\n\x1a\n" or size != (width, int(height)):
        return [f"a picture of {size} instead of {width} by {int(height)}"]
    depth, kind = picture[24], picture[25]
    channels = {2: 3, 6: 4}.get(kind)
    if depth != 8 or channels is None:
        return [f"a picture of kind {kind} with {depth} bits"]
    packed, at = b"", 8
    while at < len(picture):
        (length,) = struct.unpack(">I", picture[at : at + 4])
        if picture[at + 4 : at + 8] == b"IDAT":
            packed += picture[at + 8 : at + 8 + length]
        at += length + 12
    lines = zlib.decompress(packed)
    row = 1 + width * channels
    if len(lines) != row * size[1]:
        return ["a picture that was cut off"]
    # The first pixel of the first line is no difference to another, whatever the filter: it is the page's margin.
    margin = sum(lines[1:4]) / 3
    wrong = [] if (margin < 128) == (theme == "dark") else [f"a picture that is not {theme}"]
    # Filters write what changes: a line of zeros is one that is like the one above or all of one colour. What is left of a
    # page below its last text may be of one.
    if height >= 300 and not any(any(lines[n * row + 1 + channels : (n + 1) * row]) for n in range(1, size[1])):
        wrong.append("a picture of one colour")
    return wrong


def look(browser, page, size, theme, shots):
    width, height = size
    browser.ask("Page.enable")
    browser.ask("Network.enable")
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    browser.events.clear()
    browser.ask("Page.navigate", url=page.resolve().as_uri())
    browser.wait_for("Page.loadEventFired")
    found = browser.ask("Runtime.evaluate", expression=LOOK, returnByValue=True)
    if "exceptionDetails" in found:
        raise RuntimeError(found["exceptionDetails"])
    found = found["result"]["value"]
    wrong = list(found["wrong"])
    if found["dark"] != (theme == "dark"):
        wrong.append(f"the page is not {theme}")
    for event in browser.events:
        url = event.get("params", {}).get("request", {}).get("url", "")
        if event.get("method") == "Network.requestWillBeSent" and url != page.resolve().as_uri():
            wrong.append(f"the page asks for {url}")
    if shots:
        names = [*page.resolve().parts[-3:-1], page.stem, str(width), theme]
        name = "-".join(names)
        for part, top in enumerate(range(0, found["height"], 1600)):
            clip = {"x": 0, "y": top, "width": width, "height": min(found["height"] - top, 1600), "scale": 1}
            shot = browser.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            picture = base64.b64decode(shot["data"])
            (shots / f"{name}-{part:02}.png").write_bytes(picture)
            wrong.extend(picture_mistakes(picture, width, clip["height"], theme))
    where = f"{page} at {width} px, {theme}"
    for line in wrong[:8]:
        print(f"{where}: {line}")
    if wrong[8:]:
        print(f"{where}: and {len(wrong) - 8} more")
    print(f"{where}: {found['plots']} plots, {found['tables']} tables, {len(wrong)} wrong")
    return len(wrong)


def main(words):
    shots = None
    if words[:1] == ["--shots"]:
        shots, words = pathlib.Path(words[1]), words[2:]
        shots.mkdir(parents=True, exist_ok=True)
    if not words:
        sys.exit("usage: browser.py [--shots DIR] PAGE.html ...")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        sys.exit("no chromium")
    home = tempfile.mkdtemp()
    browser = Browser(program, home)
    try:
        pages = [pathlib.Path(word) for word in words]
        wrong = sum(look(browser, page, size, theme, shots) for page in pages for size in SIZES for theme in THEMES)
    finally:
        browser.close()
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(1 if wrong else 0)


main(sys.argv[1:])
