// Charts out of the numbers that stand in the live part of a page, and two small helps. Everything else works without it.
"use strict";
(() => {
  const colours = { created: "--created", updated: "--updated", unchanged: "--unchanged", superseded: "--superseded",
    failed: "--bad", discarded: "--warn", waiting: "--updated", p50: "--created", p95: "--warn", p99: "--bad" };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(colours[name] || "--text").trim();
  const charts = new Map();

  // The layers of a stack: each is the sum of itself and all below it.
  const stacked = (layers) => {
    let below = layers[0].map(() => 0);
    return layers.map((layer) => (below = layer.map((value, at) => value + below[at])));
  };

  const drawings = {
    ended: (series, endings) => {
      const shown = endings.map((name, at) => ({ name, values: series.ended[at] })).filter((one) => one.values.some((v) => v > 0));
      if (shown.length === 0) shown.push({ name: endings[0], values: series.at.map(() => 0) });
      const layers = stacked(shown.map((one) => one.values));
      return { names: shown.map((one) => one.name), own: shown.map((one) => one.values), data: layers, filled: true };
    },
    waiting: (series) => ({ names: ["waiting"], own: [series.waiting], data: [series.waiting], filled: true }),
    latency: (series) => ({ names: ["p50", "p95", "p99"], own: series.latency, data: series.latency, filled: false }),
  };

  // Times as the rest of the page has them: UTC, to the second where the chart is short.
  const clock = (seconds, long) => new Date(seconds * 1000).toISOString().slice(11, long ? 16 : 19);
  const times = (plot, ticks) => ticks.map((at) => clock(at, ticks[ticks.length - 1] - ticks[0] > 300));

  // Incidents lie as shades behind the lines: [from, to] in seconds since 1970, to is null while it is not over.
  const incidents = () => {
    const marked = document.querySelector("[data-incidents]");
    return marked ? JSON.parse(marked.dataset.incidents) : [];
  };
  const shade = (plot) => {
    const { left, top, width, height } = plot.bbox;
    const across = (at) => Math.min(left + width, Math.max(left, plot.valToPos(at, "x", true)));
    plot.ctx.save();
    plot.ctx.fillStyle = colour("failed") + "22";
    incidents().forEach(([from, to]) => {
      const [begins, ends] = [across(from), across(to == null ? Date.now() / 1000 : to)];
      if (ends > begins) plot.ctx.fillRect(begins, top, ends - begins, height);
    });
    plot.ctx.restore();
  };

  const axis = (grid) => ({ stroke: colour("text"), grid: { stroke: grid, width: 1 }, ticks: { show: false } });

  const draw = (place, series, endings) => {
    const drawing = drawings[place.dataset.chart](series, endings);
    // The top of a stack is drawn first, so that what is below lies before it.
    const order = drawing.names.map((_, at) => at).reverse();
    const data = [series.at, ...order.map((at) => drawing.data[at])];
    const key = drawing.names.join();
    const before = charts.get(place);
    if (before && before.key === key) {
      before.own = drawing.own;
      before.plot.setData(data);
      return;
    }
    if (before) before.plot.destroy();
    const kept = { key, own: drawing.own };
    const grid = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
    const lines = order.map((at) => {
      const name = drawing.names[at];
      const value = (_, __, ___, index) => {
        // Where nothing is pointed at, the newest number.
        const own = kept.own[at][index == null ? kept.own[at].length - 1 : index];
        return own == null ? "–" : String(Math.round(own * 10) / 10);
      };
      return { label: name, stroke: colour(name), width: 1.5, fill: drawing.filled ? colour(name) + "55" : undefined, value, points: { show: false } };
    });
    kept.plot = new uPlot({ width: place.clientWidth || 320, height: 170, padding: [8, 30, 0, 0], hooks: { drawClear: [shade] }, series: [{ label: "time", value: (_, at) => (at == null ? "–" : clock(at)) }, ...lines],
      axes: [{ ...axis(grid), values: times, space: 70 }, { ...axis(grid), size: 46 }], scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1)] } } }, data, place);
    charts.set(place, kept);
  };

  const drawAll = () => {
    const numbers = document.getElementById("series");
    if (!numbers || !numbers.dataset.series) return;
    const series = JSON.parse(numbers.dataset.series);
    const endings = numbers.dataset.endings.split(",");
    document.querySelectorAll("[data-chart]").forEach((place) => draw(place, series, endings));
  };
  const drawAnew = () => {
    charts.forEach((kept) => kept.plot.destroy());
    charts.clear();
    drawAll();
  };

  const isLost = (lost) => {
    const notice = document.getElementById("lost");
    if (notice) notice.hidden = !lost;
  };

  // A page that should be live and gets no news for ten seconds says so, and greys.
  let heardAt = null;
  const heard = () => { heardAt = performance.now(); isSilent(false); };
  const isSilent = (silent) => {
    const notice = document.getElementById("silent");
    document.body.classList.toggle("silent", silent);
    if (!notice) return;
    notice.hidden = !silent;
    if (silent) notice.querySelector("span").textContent = Math.floor((performance.now() - heardAt) / 1000);
  };
  setInterval(() => {
    if (heardAt !== null && performance.now() - heardAt >= 10000) isSilent(true);
  }, 500);
  addEventListener("DOMContentLoaded", drawAll);
  addEventListener("resize", drawAnew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
  document.addEventListener("htmx:afterSwap", drawAll);
  document.addEventListener("htmx:sseOpen", (event) => {
    isLost(false);
    heard();
    event.detail.source.addEventListener("still", heard);
  });
  document.addEventListener("htmx:sseMessage", heard);
  ["htmx:sseError", "htmx:responseError", "htmx:sendError"].forEach((lost) => document.addEventListener(lost, () => isLost(true)));

  // What somebody has unfolded stays so when the part around it is made anew.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");

  // Copies what stands in a field; where the browser does not let pages do that, it is selected, for whoever copies by hand.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    const field = button && document.getElementById(button.dataset.copy);
    if (!field) return;
    const say = (word) => { button.textContent = word; };
    const byHand = () => { field.focus(); field.select(); say("Selected"); };
    if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(() => say("Copied"), byHand);
    else byHand();
  });

  // "/" goes to the first field, as in most such tools.
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey) return;
    const field = document.querySelector("main input:not([type=hidden]), main textarea");
    if (field) { event.preventDefault(); field.focus(); }
  });
})();
