"""How the HTML report looks: on a screen, light or dark, and on A4."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #8a8a8a; --soft: #f2f2f2;
  --holds: #14632c; --fails: #a3120f; --unknown: #7a4d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #eaeaea; --paper: #151515; --line: #7d7d7d; --soft: #242424;
  --holds: #7ed99a; --fails: #ff9a92; --unknown: #f0c060; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; }
code { font: .88em ui-monospace, monospace; }
dl { display: grid; grid-template-columns: minmax(9rem, 15rem) 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9rem; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { background: var(--soft); overflow-wrap: normal; min-width: 6.2em; }
tbody th { font-weight: 600; }
.verdict { border: 3px solid; border-left-width: 12px; padding: .6rem 1rem; margin-bottom: 1rem; }
.verdict strong { font-size: 1.15rem; }
.verdict.holds { border-style: solid; }
.verdict.fails { border-style: double; border-width: 6px 6px 6px 14px; }
.verdict.unknown { border-style: dashed; }
.steps > li { margin: .3rem 0; padding-left: .3rem; }
.problems { margin: .2rem 0 .6rem; overflow-wrap: anywhere; }
.mark { display: inline-block; min-width: 1.1em; font-weight: 700; }
.verdict.holds, .holds > .mark, .holds > strong { color: var(--holds); }
.verdict.fails, .fails > .mark, .fails > strong { color: var(--fails); }
.verdict.unknown, .unknown > .mark, .unknown > strong { color: var(--unknown); }
@page { size: A4; margin: 18mm 15mm 20mm;
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 9pt sans-serif; }
  @bottom-left { content: "Sealtrail evidence report"; font: 9pt sans-serif; } }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --line: #555; --soft: #eee;
    --holds: #000; --fails: #000; --unknown: #000; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  table { font-size: 8.5pt; }
  h2, caption { break-after: avoid; }
  tr, .steps > li, .verdict { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""
