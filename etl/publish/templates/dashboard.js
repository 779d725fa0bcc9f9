"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  // Blue, green and vermilion after Okabe and Ito, which people with the common colour-vision deficiencies can tell
  // apart; at least 2.5:1 against either ground, marks that stand alone 3:1.
  const themes = {
    light: {
      ink: "#14140f", soft: "#55534d", line: "#e6e4dc", axis: "#b9b6ac", accent: "#2a78d6", quiet: "#9a978d",
      groups: ["#2a78d6", "#009e73", "#d55e00", "#7b4fb5", "#8a6d00"],
      ramp: ["#e3eefb", "#9ec5f4", "#5598e7", "#256abf", "#0d366b"],
      gains: ["#1f5fae", "#5a9ae0", "#009e73"], losses: ["#c93a39", "#e88583"],
    },
    dark: {
      ink: "#f4f3ee", soft: "#b9b6ac", line: "#2c2c29", axis: "#55534d", accent: "#4a93ea", quiet: "#85827a",
      groups: ["#4a93ea", "#22b08a", "#ee8a3c", "#a58be8", "#c9b04a"],
      ramp: ["#16263d", "#104281", "#1f66bd", "#5598e7", "#b7d3f6"],
      gains: ["#4a93ea", "#2f6fc0", "#22b08a"], losses: ["#e66767", "#a04a4a"],
    },
  };

  const named = (theme) => ({
    "@quiet": theme.quiet,
    ...Object.fromEntries(theme.gains.map((colour, i) => [`@gain${i}`, colour])),
    ...Object.fromEntries(theme.losses.map((colour, i) => [`@loss${i}`, colour])),
  });

  const config = (theme) => ({
    background: null,
    aria: false,
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif",
    padding: { left: 0, top: 4, right: 8, bottom: 6 },
    view: { stroke: null },
    axis: {
      labelColor: theme.soft, titleColor: theme.soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400,
      gridColor: theme.line, domainColor: theme.axis, tickColor: theme.axis, labelLimit: 150,
    },
    axisY: { domain: false, ticks: false },
    axisTemporal: { grid: false },
    axisBand: { grid: false },
    legend: { labelColor: theme.ink, titleColor: theme.soft, titleFontWeight: 400, labelFontSize: 12, titleFontSize: 12, symbolType: "square" },
    range: { category: theme.groups, ordinal: theme.ramp, heatmap: theme.ramp, ramp: theme.ramp },
    mark: { color: theme.accent },
    bar: { color: theme.accent },
    line: { color: theme.accent, strokeWidth: 2 },
    point: { size: 22, filled: true },
    area: { color: theme.accent },
    rule: { color: theme.quiet },
    text: { color: theme.soft, fontSize: 12 },
  });

  const coloured = (value, colours) => {
    if (typeof value === "string") return colours[value] ?? value;
    if (Array.isArray(value)) return value.map((item) => coloured(item, colours));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, colours)]));
  };

  const specs = [...document.querySelectorAll("[data-spec]")].map((place) => [
    place, JSON.parse(document.getElementById(place.dataset.spec).textContent),
  ]);
  const drawn = new Map();

  const draw = async () => {
    const name = dark.matches ? "dark" : "light";
    const theme = themes[name];
    for (const [place, spec] of specs) {
      drawn.get(place)?.finalize();
      // Vega's expressions run in an interpreter, so that the page can forbid eval.
      const options = { actions: false, ast: true, renderer: "svg", mode: "vega-lite", config: config(theme), tooltip: { theme: name } };
      drawn.set(place, await window.vegaEmbed(place, coloured(spec, named(theme)), options));
    }
    document.documentElement.dataset.drawn = `${drawn.size} ${name}`;
  };

  const redraw = () => draw().catch((error) => { console.error(error); document.documentElement.dataset.failed = String(error); });
  dark.addEventListener("change", redraw);
  redraw();
})();
