#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# The picture of a comparison in a real browser: what stands in it is what the JSON says, nothing is
# loaded, no name in it becomes a command, and something is to be seen in light and dark.
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import browser
import rows

HOSTILE = 'x</script><img src=http://127.0.0.1:1/a onerror="document.title=1">\u2028\u202e"\'&\x1b[31m'
ENTRIES = [
    rows.Entry("glibc"),
    rows.Entry("glibc:arena_max=2", memory=0.72, time=1.03),
    rows.Entry("jemalloc", memory=0.48, time=1.012, environment={"OFFHEAP_BACKEND": "jemalloc"}),
    rows.Entry(HOSTILE, memory=1.1, outcomes={1: ("oom-killed", 9, HOSTILE), 3: ("oom-killed", 9, "")}),
]
PROVENANCE = {"kernel": "Linux 6.1", "command": ["server", HOSTILE]}


def made(build, form, path):
    return subprocess.run([os.path.join(build, "tests/ab_report/ab_report_render"), form, path], check=True,
                          capture_output=True, text=True, encoding="utf-8", errors="replace").stdout


class Page:
    def __init__(self, build, program, folder, entries=ENTRIES):
        path = os.path.join(folder, "rows.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.write(rows.rows_text(entries, provenance=PROVENANCE))
        self.json = json.loads(made(build, "json", path))
        self.page = os.path.join(folder, "page.html")
        with open(self.page, "w", encoding="utf-8") as file:
            file.write(made(build, "html", path))
        self.browser = browser.Browser(program)
        self.browser.open(self.page)


def equal(what, found, expected):
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def table_equals_json(page):
    """Each cell's median is the JSON's, and its text is that figure in its unit."""
    cells = page.browser.value("""[...document.querySelectorAll("#figures td[data-metric]")].map(cell =>
        [+cell.dataset.entryIndex, cell.dataset.metric, cell.dataset.median ?? null, cell.textContent])""")
    metrics = {metric for entry in page.json["entries"] for metric in entry["metrics"]}
    equal("cells", len(cells), len(ENTRIES) * len(metrics))
    for entry, metric, median, text in cells:
        expected = page.json["entries"][entry]["metrics"].get(metric)
        if expected is None:
            equal(f"{metric} of {entry}", text, "-")
            continue
        assert abs(float(median) - expected["median"]) <= 1e-9 * abs(expected["median"]), (metric, median, expected)
        if metric.endswith("_rss_bytes"):
            shown = float(text.split(" MiB")[0])
            assert abs(shown - expected["median"] / rows.MIB) < 0.06, (metric, text)


def charts_hold_every_entry(page):
    ratios = collections.Counter(ratio["entry"] for ratio in page.json["ratios"]
                                 if ratio["difference"] != "not-judged")
    for index, entry in enumerate(page.json["entries"]):
        inside = f'document.querySelectorAll(\'#rss [data-entry="{index}"] %s\').length'
        equal("medians", page.browser.value(inside % ".median"), 1)
        equal("runs", page.browser.value(inside % ".run"), entry["runs"])
        equal("failed runs", page.browser.value(inside % ".run.failed"), entry["runs"] - entry["done"])
        equal("ratios", page.browser.value(
            f'document.querySelectorAll(\'#ratios [data-entry="{index}"] circle\').length'), ratios[entry["name"]])
    broken = page.browser.value("""[...document.querySelectorAll("svg *")].filter(part =>
        [...part.attributes].some(a => /nan|inf|undefined/i.test(a.value) && a.name != "class")).length""")
    equal("broken coordinates", broken, 0)


def advice_is_the_jsons(page):
    advice = page.browser.value('document.querySelector("#advice").textContent')
    equal("headline", page.browser.value('document.querySelector("#advice h1").textContent'), "Switch to jemalloc")
    for line in page.json["recommendation"]["costs"] + page.json["recommendation"]["setting"]:
        assert line in advice, line
    equal("outcomes", page.browser.value('document.querySelector("#figures .failed").textContent'),
          "2 of 5 oom-killed")


def names_stay_text(page):
    equal("images", page.browser.value('document.querySelectorAll("img, b, iframe").length'), 0)
    equal("title", page.browser.value("document.title"), "offheap ab")
    embedded = page.browser.value(
        'JSON.parse(document.getElementById("comparison").textContent).entries.map(entry => entry.name)')
    equal("embedded names", embedded, [entry["name"] for entry in page.json["entries"]])
    rows_inside = page.browser.value('JSON.parse(document.getElementById("comparison").textContent).rows.length')
    equal("embedded rows", rows_inside, len(page.json["rows"]))


def script_works(page):
    where = page.browser.value("""(() => { const box = document.getElementById("rss").getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2]; })()""")
    page.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=where[0], y=where[1])
    equal("names in the hint", page.browser.value('document.querySelectorAll("#tip .key").length'), len(ENTRIES))
    page.browser.value('document.querySelectorAll(".legend input")[1].click()')
    equal("hidden", page.browser.value('document.querySelector(\'#rss [data-entry="1"]\').hasAttribute("hidden")'),
          True)
    page.browser.value('document.querySelectorAll(".legend input")[1].click()')
    page.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)


def nothing_is_loaded(page):
    equal("requests", page.browser.requests, ["file://" + page.page])
    equal("console", page.browser.complaints, [])


def something_is_seen(page, folder):
    """Many colours, in both schemes, and another background in each."""
    backgrounds = []
    for dark in (False, True):
        page.browser.dark(dark)
        png = page.browser.screenshot()
        with open(os.path.join(folder, "dark.png" if dark else "light.png"), "wb") as file:
            file.write(png)
        colours = collections.Counter(colour for line in browser.pixels(png) for colour in line)
        background, count = colours.most_common(1)[0]
        ink = 1 - count / sum(colours.values())
        assert ink > 0.03 and len(colours) > 100, f"nearly blank: {ink:.3f} inked, {len(colours)} colours"
        backgrounds.append(sum(background))
    assert backgrounds[0] > 600 > 200 > backgrounds[1], f"backgrounds {backgrounds}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--keep", help="a folder for the page and its screenshots")
    arguments = parser.parse_args()
    program = browser.find_chromium()
    if program is None:
        print("no chromium in PATH")
        return 1 if os.environ.get("CI") else 77
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or temporary
        page = Page(arguments.build, program, folder)
        with page.browser:
            table_equals_json(page)
            charts_hold_every_entry(page)
            advice_is_the_jsons(page)
            names_stay_text(page)
            script_works(page)
            something_is_seen(page, folder)
            nothing_is_loaded(page)
    print("the page is whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
