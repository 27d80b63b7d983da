// A small line chart in an SVG element. It keeps the last values and scales
// itself to the largest one, or to a fixed top.
"use strict";

class Chart {
  // svg has role="img" and an aria-label to begin with.
  constructor(svg, { keep = 60, top = 0, unit = "" } = {}) {
    this.svg = svg;
    this.keep = keep;
    this.top = top;
    this.unit = unit;
    this.range = svg.parentElement.querySelector(".range");
    this.name = svg.getAttribute("aria-label");
    this.values = [];
    svg.setAttribute("viewBox", "0 0 300 100");
    svg.setAttribute("preserveAspectRatio", "none");
    const path = (name) => {
      const p = document.createElementNS("http://www.w3.org/2000/svg", "path");
      p.setAttribute("class", name);
      svg.append(p);
      return p;
    };
    path("base").setAttribute("d", "M0 50H300");
    this.area = path("area");
    this.trace = path("trace");
  }

  push(value) {
    this.values.push(value);
    if (this.values.length > this.keep) this.values.shift();
    const top = this.top || Math.max(...this.values) * 1.15 || 1;
    const step = 300 / (this.keep - 1);
    const from = 300 - (this.values.length - 1) * step; // the newest is at the right
    const points = this.values.map((v, i) =>
      `${(from + i * step).toFixed(1)} ${(97 - 94 * Math.min(1, v / top)).toFixed(1)}`);
    this.trace.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M${points.join("L")}L300 100L${from.toFixed(1)} 100Z`);
    const short = (v) => v.toLocaleString("en", { maximumSignificantDigits: 3 });
    const range = `${short(Math.min(...this.values))} to ${short(Math.max(...this.values))}`;
    if (this.range) this.range.textContent = range;
    this.svg.setAttribute("aria-label",
      `${this.name}: now ${short(value)} ${this.unit}, lately ${range}`);
  }
}
