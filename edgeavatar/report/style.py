"""How the page looks: one sheet, system fonts, colours by name for light and dark."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "paper": "#fcfbf9",
    "panel": "#f3f1ec",
    "line": "#d8d3c8",
    "ink": "#1d2530",
    "soft": "#515c69",
    "link": "#175a8c",
    "good": "#1c6a3d",
    "warn": "#8a4f00",
    "bad": "#a42a21",
    "unknown": "#515c69",
    "first": "#175a8c",
    "second": "#8c3d6e",
    "fill": "#b9cfe0",
    "shade": "#e6e2d8",
}
DARK: Final = {
    "paper": "#14181d",
    "panel": "#1c222a",
    "line": "#39434f",
    "ink": "#e7eaee",
    "soft": "#a7b1bd",
    "link": "#86bff0",
    "good": "#75cf9b",
    "warn": "#efb45c",
    "bad": "#ff968b",
    "unknown": "#a7b1bd",
    "first": "#86bff0",
    "second": "#e69cc6",
    "fill": "#2f4f6b",
    "shade": "#29323c",
}
TEXT_PAIRS: Final = (
    *(
        (text, ground)
        for text in ("ink", "soft", "link", "good", "warn", "bad", "unknown", "first", "second")
        for ground in ("paper", "panel")
    ),
    ("ink", "shade"),
    ("ink", "fill"),
)
"""Which colour is read on which; all have a contrast of 4.5 or more (WCAG 2.2, 1.4.3)."""
GRAPHIC_PAIRS: Final = tuple(
    (mark, "paper") for mark in ("first", "second", "good", "warn", "bad", "unknown")
)
"""Lines and marks that mean something, on their ground; 3 or more (WCAG 2.2, 1.4.11)."""


def style_sheet() -> str:
    """Give the sheet of the page."""
    return (
        f":root{{color-scheme:light dark;{_variables(LIGHT)}}}\n"
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{{_variables(DARK)}}}}}\n{_RULES}{_DRAWINGS}{_NARROW}{_PRINT}"
    )


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_RULES: Final = """
*,*::before,*::after{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
  -webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink)}
.wrap{max-width:70rem;margin:0 auto;padding:0 1.5rem}
h1,h2,h3{line-height:1.25;font-weight:600;text-wrap:balance;margin:0}
h1{font-size:1.75rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:0 0 .9rem}
h3{font-size:1rem;margin:0 0 .5rem}
p,ul,ol,dl,figure,table{margin:0 0 1rem}
a{color:var(--link);text-underline-offset:.15em}
a:hover{text-decoration-thickness:.12em}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem 1rem;z-index:2}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);
  white-space:nowrap}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.num{font-variant-numeric:tabular-nums}
header{padding:2.2rem 0 0}
.kicker{margin:0 0 .3rem;color:var(--soft);font-size:.875rem;letter-spacing:.02em}
.strip{display:flex;flex-wrap:wrap;gap:.1rem 1.4rem;margin:.5rem 0 0;padding:0;list-style:none;
  color:var(--soft)}
.privacy{margin:1rem 0 0;padding:.6rem 0 0;border-top:1px solid var(--line);color:var(--soft);
  font-size:.875rem}
nav{margin:1.2rem 0 0;border-block:1px solid var(--line)}
nav ul{display:flex;flex-wrap:wrap;gap:0 1.4rem;list-style:none;margin:0;padding:.3rem 0}
nav a{display:inline-block;padding:.25rem 0;text-decoration:none}
nav a:hover{text-decoration:underline}
main>section{padding:2rem 0 1rem;border-bottom:1px solid var(--line)}
main>section:last-of-type{border-bottom:0}
.verdict{margin:1.6rem 0 0;padding:1.3rem 1.5rem!important;background:var(--panel);
  border:0!important;border-left:.4rem solid var(--tone)!important;border-radius:.25rem}
.verdict h2{display:flex;gap:.6rem;align-items:center;font-size:1.45rem;margin:0 0 .4rem}
.verdict ol{margin:.8rem 0 0;padding-left:1.4rem}
.verdict li{margin:0 0 .5rem;padding-left:.3rem}
.verdict p:last-child,.verdict li:last-child{margin-bottom:0}
.good{--tone:var(--good)}.warn{--tone:var(--warn)}.bad{--tone:var(--bad)}
.unknown{--tone:var(--unknown)}
.badge{display:inline-flex;gap:.4em;align-items:center;font-weight:600;color:var(--tone);
  white-space:nowrap}
.badge svg,.verdict h2 svg{flex:none;width:1.15em;height:1.15em}
.verdict h2 svg{width:1.3em;height:1.3em;color:var(--tone)}
table{width:100%;border-collapse:collapse}
caption{display:table-caption;text-align:left;color:var(--soft);padding:0 0 .6rem}
th,td{text-align:left;vertical-align:top;padding:.6rem 1rem .6rem 0;
  border-bottom:1px solid var(--line)}
thead th{font-size:.875rem;color:var(--soft);font-weight:600}
tbody th{font-weight:600}
.factors th[scope=rowgroup]{padding:1.3rem 0 .3rem;color:var(--soft);font-size:.875rem}
.factors td p{margin:0 0 .3rem}
.factors td p:last-child,.factors .bound{margin:0}
.factors .factor{width:19%}.factors .state{width:14%}.factors .measure{width:25%}
.frames{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1.2rem;
  list-style:none;padding:0}
.frames figure{margin:0}
.frames strong{display:block;color:var(--ink)}
.frames img{display:block;width:100%;height:auto;border-radius:.25rem;background:var(--shade)}
figcaption{margin:.4rem 0 0;color:var(--soft);font-size:.875rem}
.watch{display:grid;grid-template-columns:minmax(0,24rem) minmax(0,1fr);gap:2rem;
  align-items:start}
.player{position:sticky;top:1rem;margin:0}
.player video,.player audio{display:block;width:100%;border-radius:.25rem}
.player video{height:auto;max-height:26rem;background:var(--shade)}
.words{list-style:none;padding:0;margin:0}
.words li{display:grid;grid-template-columns:4.2rem minmax(0,1fr);gap:0 .6rem;
  padding:.25rem 0;overflow-wrap:anywhere}
.unsure{text-decoration:underline dotted;text-underline-offset:.2em}
.now{background:var(--fill);color:var(--ink);border-radius:.15rem;
  box-shadow:0 0 0 .12rem var(--fill)}
.seeks .words [data-t],.seeks .timeline svg[data-end]{cursor:pointer}
.seeking{display:none}.seeks .seeking{display:block}
.side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:2rem}
.side figure{margin:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));
  gap:2rem 3rem}
.facts dl{margin:0}
.facts dl>div{display:grid;grid-template-columns:minmax(0,11rem) minmax(0,1fr);gap:0 1rem;
  padding:.35rem 0;border-bottom:1px solid var(--line)}
.facts .unmeasured{margin:.5rem 0 0}
.facts dt{color:var(--soft)}
.facts dd{margin:0}
.facts dd span{display:block}
footer{padding:1.5rem 0 3rem;color:var(--soft);font-size:.875rem}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
"""

_DRAWINGS: Final = """
svg{display:block}
.scroll{overflow-x:auto}
.scroll svg{width:100%;min-width:44rem;height:auto}
.drawing{width:100%;height:auto;max-height:20rem}
svg text{fill:var(--ink);font-size:13px}
svg .soft{fill:var(--soft)}
svg .small{font-size:12px}
.rule{stroke:var(--line);stroke-width:1;fill:none}
.cut{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.curve{fill:none;stroke:var(--first);stroke-width:1.5;stroke-linejoin:round}
.curve.two{stroke:var(--second);stroke-dasharray:5 2.5}
svg .key-one{fill:var(--first)}svg .key-two{fill:var(--second)}
.area{fill:var(--fill);stroke:var(--first);stroke-width:1}
.shade{fill:var(--shade)}
.seen{fill:var(--first)}
.paler{fill:var(--fill)}
.mark-bad{fill:var(--bad)}
.mark-warn{fill:none;stroke:var(--warn);stroke-width:2}
.head{stroke:var(--ink);stroke-width:2}
.frame{fill:var(--panel);stroke:var(--soft);stroke-width:1.5}
.third{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4}
.box{fill:var(--fill);stroke:var(--first);stroke-width:2}
.measure{stroke:var(--second);stroke-width:2;fill:none}
.outline{fill:none;stroke:var(--soft);stroke-width:1.5}
.bar{fill:var(--first)}
"""

_NARROW: Final = """
@media (max-width:52rem){
.watch{grid-template-columns:minmax(0,1fr);gap:1.2rem}
.player{top:0;padding:.5rem 0;background:var(--paper);z-index:1}
.player video{max-height:38vh}
}
@media (max-width:46rem){
.wrap{padding:0 1rem}
.verdict{padding:1rem!important}
.factors caption,.factors table,.factors tbody,.factors tr,.factors th,.factors td{display:block;
  width:auto!important}
.factors thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.factors tr{padding:.7rem 0;border-bottom:1px solid var(--line)}
.factors th,.factors td{border:0;padding:.1rem 0}
.factors tr:has(th[scope=rowgroup]){border:0;padding:.8rem 0 0}
.facts dl>div{grid-template-columns:minmax(0,9rem) minmax(0,1fr)}
}
"""

_PRINT: Final = """
@media print{
@page{margin:16mm 14mm}
html{font-size:10pt}
.wrap{max-width:none;padding:0}
nav,.skip,.player,.seeking,.head{display:none!important}
.watch{display:block}
.words{columns:2;column-gap:2rem}
a{color:inherit;text-decoration:none}
.now{background:none;box-shadow:none}
.scroll{overflow:visible}.scroll svg{min-width:0}
.verdict{border:1px solid var(--line)!important;border-left:.4rem solid var(--tone)!important}
tr,figure,.words li,.facts dl>div,.verdict{break-inside:avoid}
h2,h3,.factors th[scope=rowgroup]{break-after:avoid}
.frames{grid-template-columns:repeat(3,1fr)}
.seen,.paler,.area,.mark-bad,.bar,.box,.shade,.verdict{print-color-adjust:exact;
  -webkit-print-color-adjust:exact}
}
"""
