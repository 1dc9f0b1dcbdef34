"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const data = JSON.parse(document.getElementById("data").textContent);
const LEFT = 46, RIGHT = 348, TOP = 12, BOTTOM = 204;

// Four significant digits, as Zoo prints them.
function show(value) {
  if (value === null) return "not finite";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e4) return value.toFixed(4);
  return value.toPrecision(3).replace(/\.?0+(e|$)/, "$1");
}

// ------------------------------------------------------------------ charts
function chart(figure, content) {
  const plot = figure.querySelector(".plot"), cursor = figure.querySelector(".cursor");
  const readout = figure.querySelector(".readout"), button = figure.querySelector(".switch");
  const [low, high] = content.x;
  const steps = [...new Set(content.series.flatMap(s => s.steps))].sort((a, b) => a - b);
  let at = steps.length - 1;

  function place(index) {
    at = Math.max(0, Math.min(steps.length - 1, index));
    const step = steps[at], x = LEFT + (RIGHT - LEFT) * (step - low) / (high - low);
    cursor.setAttribute("d", `M${x.toFixed(1)} ${TOP}V${BOTTOM}`);
    const parts = [];
    for (const s of content.series.slice(0, 10)) {
      let k = -1;
      while (k + 1 < s.steps.length && s.steps[k + 1] <= step) k++;
      if (k < 0) continue;
      const when = s.steps[k] === step ? "" : ` (step ${s.steps[k].toLocaleString("en")})`;
      parts.push(`${s.name} ${show(s.values[k])}${when}`);
    }
    readout.textContent = `step ${step.toLocaleString("en")}: ${parts.join(" · ")}`;
  }
  function nearest(event) {
    const box = plot.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * 360;
    const step = low + (high - low) * (x - LEFT) / (RIGHT - LEFT);
    let best = 0;
    for (let k = 1; k < steps.length; k++)
      if (Math.abs(steps[k] - step) < Math.abs(steps[best] - step)) best = k;
    return best;
  }
  plot.addEventListener("pointermove", event => place(nearest(event)));
  plot.addEventListener("pointerdown", event => place(nearest(event)));
  plot.addEventListener("keydown", event => {
    const move = {ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10,
                  Home: 0, End: steps.length - 1}[event.key];
    if (move === undefined) return;
    event.preventDefault();
    place(move);
  });
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const log = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", log);
    for (const layer of all("svg > g", figure))
      layer.classList.toggle("off", layer.classList.contains("log") !== log);
  });
}
for (const [id, content] of Object.entries(data))
  if (content.series) chart(document.getElementById(id), content);

// --------------------------------------------------------- commands to copy
if (navigator.clipboard) for (const block of all(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy";
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(block.querySelector("code").textContent).then(
      () => { button.textContent = "copied"; }, () => { button.textContent = "not permitted"; });
  });
  block.append(button);
}
