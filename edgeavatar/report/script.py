"""The only script of the page: times and the time-line seek the preview. All else works without."""

from __future__ import annotations

from typing import Final

SCRIPT: Final = """(() => {
  const player = document.getElementById("preview");
  if (!player) return;
  document.documentElement.classList.add("seeks");
  const words = [...document.querySelectorAll(".words span[data-t]")];
  const starts = words.map(word => Number(word.dataset.t));
  const chart = document.querySelector(".timeline svg[data-end]");
  const needle = document.getElementById("needle");
  const seek = time => {
    player.currentTime = time;
    player.play().catch(() => {});
    const box = player.getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight) player.scrollIntoView({block: "nearest"});
  };
  document.addEventListener("click", event => {
    const place = event.target.closest("[data-t]");
    if (place) {
      event.preventDefault();
      seek(Number(place.dataset.t));
    }
  });
  if (chart) chart.addEventListener("click", event => {
    const {left, width} = chart.getBoundingClientRect();
    const {end, from, to} = chart.dataset;
    const x = (event.clientX - left) / width * chart.viewBox.baseVal.width;
    const time = (x - from) / (to - from) * end;
    if (time >= 0 && time <= chart.dataset.until) seek(time);
  });
  let last = null;
  player.addEventListener("timeupdate", () => {
    const time = player.currentTime;
    let low = 0, high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= time + 0.02) low = middle + 1; else high = middle;
    }
    const word = words[low - 1];
    if (word !== last) {
      if (last) last.classList.remove("now");
      if (word) word.classList.add("now");
      last = word;
    }
    if (needle) {
      const {end, from, to} = chart.dataset;
      const x = Number(from) + time / end * (to - from);
      needle.setAttribute("x1", x);
      needle.setAttribute("x2", x);
      needle.setAttribute("visibility", "visible");
    }
  });
})();"""
