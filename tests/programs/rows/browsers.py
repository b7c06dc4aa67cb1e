# SPDX-License-Identifier: Apache-2.0
"""Chromium, which carries an allocator of its own, and forks sandboxed children."""

import hashlib

from program import need
from rows import row

PAGE = """<!doctype html><title>page</title><body><p id=out>nothing</p><canvas id=c width=200 height=200></canvas><script>
const context = document.getElementById('c').getContext('2d');
for (let n = 0; n < 500; ++n) { context.fillStyle = `hsl(${n}, 50%, 50%)`; context.fillRect(n % 200, n * 7 % 200, 9, 9); }
const parts = Array.from({length: 200000}, (_, n) => String(n * 7919 % 1009));
const words = parts.sort().join(' ');
for (let n = 0; n < 3000; ++n) document.body.append(Object.assign(document.createElement('i'), {textContent: n}));
document.getElementById('out').textContent = words.length + ' ' + context.getImageData(50, 50, 1, 1).data.join();
</script>
"""


@row("chromium", "chromium", "headless: loads a page with scripts and a canvas, and prints its document")
def chromium(program):
    page = program.write("page.html", PAGE)
    status, out = program.run(need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                              f"--user-data-dir={program.path('profile')}", "--virtual-time-budget=8000", "--dump-dom",
                              f"file://{page}")
    return {"status": status, "document": hashlib.sha256(out.encode()).hexdigest()[:16], "bytes": len(out)}
