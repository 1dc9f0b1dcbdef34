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

// ------------------------------------------------------- tables that are sorted
for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      const key = row => row.cells[column].dataset.value;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (!x || !y) return !x - !y;
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      });
      heads.forEach(one => { if (one.hasAttribute("aria-sort")) one.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      body.append(...rows);
    });
  });
}

// ------------------------------------------------------------ parallel coordinates
function coordinates(root, content) {
  const lines = all(".run", root), status = root.querySelector("[role=status]");
  const rows = all(`#${content.table} tbody tr`), svg = root.querySelector("svg");
  const field = (k, end) => root.querySelector(`[data-axis="${k}"]` + (end ? `[data-end=${end}]` : ":is(select)"));

  function kept(line) {
    return content.axes.every((axis, k) => {
      const value = axis.values[line];
      if (!axis.number) return !field(k).value || field(k).value === value;
      const low = field(k, "min").value, high = field(k, "max").value;
      if (value === null) return low === "" && high === "";
      return (low === "" || value >= +low) && (high === "" || value <= +high);
    });
  }
  function refresh() {
    let count = 0;
    for (const line of lines) {
      const is = kept(+line.dataset.line);
      line.classList.toggle("faded", !is);
      count += is;
    }
    for (const row of rows)
      row.classList.toggle("faded", +row.dataset.line >= lines.length || !kept(+row.dataset.line));
    status.textContent = `${count} of ${lines.length} lines`;
  }
  function choose(k, from, to) {
    const axis = content.axes[k], [low, high] = [Math.min(from, to), Math.max(from, to)];
    const inside = axis.values.filter((value, n) =>
      value !== null && axis.positions[n] >= low - .02 && axis.positions[n] <= high + .02);
    if (axis.number) {
      field(k, "min").value = inside.length ? Math.min(...inside) : "";
      field(k, "max").value = inside.length ? Math.max(...inside) : "";
    } else field(k).value = new Set(inside).size === 1 ? inside[0] : "";
    refresh();
  }
  all("g[data-axis]", root).forEach(group => {
    const grip = group.querySelector(".grip"), brush = group.querySelector(".brush");
    const k = +group.dataset.axis;
    let start = null;
    const at = event => {
      const box = svg.getBoundingClientRect();
      const y = (event.clientY - box.top) / box.height * 300;
      return Math.max(0, Math.min(1, (282 - y) / 248));
    };
    grip.addEventListener("pointerdown", event => { start = at(event); grip.setPointerCapture(event.pointerId); });
    grip.addEventListener("pointermove", event => {
      if (start === null) return;
      const end = at(event), top = 282 - 248 * Math.max(start, end);
      brush.setAttribute("y", top);
      brush.setAttribute("height", 248 * Math.abs(start - end));
      choose(k, start, end);
    });
    grip.addEventListener("pointerup", () => { start = null; });
  });
  function clearBrushes() { for (const brush of all(".brush", root)) brush.setAttribute("height", 0); }
  for (const one of all("input, select", root)) one.addEventListener("input", () => { clearBrushes(); refresh(); });
  root.querySelector(".reset").addEventListener("click", () => {
    for (const one of all("input, select", root)) one.value = "";
    clearBrushes();
    refresh();
  });
}
for (const [id, content] of Object.entries(data))
  if (content.axes) coordinates(document.getElementById(id), content);
