// SPDX-License-Identifier: Apache-2.0
//
// What never changes in the picture: its style and its script. Neither loads anything; the page's own
// policy forbids it too.
#pragma once

#include <string_view>

namespace offheap::ab {

inline constexpr std::string_view kPageStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbf9;--card:#fff;--ink:#1c2024;--soft:#5d666f;--line:#dfe2e0;--grid:#eceeec;
--good:#0a7d4f;--bad:#b3261e;--good-bg:#e3f4ec;--stay-bg:#eef1f4;
--e0:#4b5563;--e1:#0072b2;--e2:#d55e00;--e3:#009e73;--e4:#aa3f8f;--e5:#8a6d00;--e6:#2f9ed8;--e7:#7a5195}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1c2024;--ink:#e7eaec;--soft:#9aa4ad;--line:#353c42;--grid:#282e33;
--good:#4fd39a;--bad:#ff8a80;--good-bg:#14332a;--stay-bg:#252b31;
--e0:#b4bdc6;--e1:#56b4e9;--e2:#ff9a4d;--e3:#2fd3a5;--e4:#e58fd0;--e5:#e6c84a;--e6:#9fd4f5;--e7:#c4a2e8}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:0 0 6px}
h2{font-size:17px;margin:34px 0 4px}
p{margin:4px 0}
.soft{color:var(--soft);font-size:13px}
.advice{background:var(--stay-bg);border-radius:10px;padding:20px 24px}
.advice.switch{background:var(--good-bg)}
.advice dl{display:grid;grid-template-columns:88px 1fr;gap:4px 12px;margin:14px 0 0}
.advice dt{color:var(--soft)}.advice dd{margin:0}
code,pre,.num{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code,pre{font-size:13px}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin-top:10px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left}
tbody tr:last-child td{border-bottom:0}
td small{display:block;color:var(--soft);font-size:11.5px}
.better{color:var(--good)}.worse,.failed{color:var(--bad)}
.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:7px}
.legend{display:flex;flex-wrap:wrap;gap:6px 18px;margin-bottom:6px;font-size:13px}
.legend label{cursor:pointer;user-select:none}.legend input{margin:0 6px 0 0;vertical-align:-1px}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text.name{fill:var(--ink)}svg text.metric{fill:var(--ink);font-weight:600}
svg text.better{fill:var(--good)}svg text.worse{fill:var(--bad)}
.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}
.run{fill:none;stroke-width:1;opacity:.32}.run.failed{stroke-dasharray:4 3;opacity:.7}
.median{fill:none;stroke-width:2.6;stroke-linejoin:round}
.end{stroke-width:2}
.whisker{stroke-width:2}.none{opacity:.45}
#cross{stroke:var(--soft);stroke-dasharray:2 3}
#tip{position:fixed;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:7px 10px;font-size:12.5px;box-shadow:0 3px 14px #0003;white-space:nowrap}
[hidden]{display:none!important}
details{margin-top:8px}summary{cursor:pointer}
.hostile{overflow-wrap:anywhere;white-space:pre-wrap}
td.hostile{min-width:340px;text-align:left}
)css";

inline constexpr std::string_view kPageScript = R"js(
"use strict";
(() => {
  const chart = document.getElementById("rss");
  const tip = document.getElementById("tip");
  const lines = JSON.parse(document.getElementById("medians").textContent);
  for (const box of document.querySelectorAll(".legend input"))
    box.addEventListener("change", () => {
      for (const group of document.querySelectorAll('[data-entry="' + box.value + '"]'))
        group.toggleAttribute("hidden", !box.checked);
    });
  if (!chart) return;
  const cross = document.getElementById("cross");
  const plot = chart.dataset;
  const mib = bytes => (bytes / 1048576).toFixed(1) + " MiB";
  chart.addEventListener("mousemove", event => {
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width;
    const at = (x - plot.left) / plot.width;
    if (at < 0 || at > 1) { cross.setAttribute("hidden", ""); tip.hidden = true; return; }
    const seconds = at * plot.seconds;
    cross.setAttribute("x1", x); cross.setAttribute("x2", x); cross.removeAttribute("hidden");
    tip.replaceChildren();
    const head = tip.appendChild(document.createElement("div"));
    head.textContent = seconds.toPrecision(3) + " s";
    lines.entries.forEach((entry, i) => {
      const step = Math.round(at * lines.steps);
      if (step >= entry.bytes.length) return;
      const row = tip.appendChild(document.createElement("div"));
      const key = row.appendChild(document.createElement("span"));
      key.className = "key"; key.style.background = "var(--e" + i % 8 + ")";
      row.append(entry.name + "  " + mib(entry.bytes[step]));
    });
    tip.hidden = false;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 14 + "px";
  });
  chart.addEventListener("mouseleave", () => { cross.setAttribute("hidden", ""); tip.hidden = true; });
})();
)js";

}  // namespace offheap::ab
