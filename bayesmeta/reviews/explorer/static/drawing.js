// Numbers as text, and the figures of the explorer as inline SVG.
(function (BM) {
  "use strict";

  // ---- numbers: the rule of bayesmeta/reporting/rounding.py

  /** Round half away from zero on the shortest decimal form. */
  function rounded(x, decimals) {
    const [digits, exponent = "0"] = String(Math.abs(x)).split("e");
    const scaled = Math.round(Number(`${digits}e${Number(exponent) + decimals}`));
    const text = Number(`${scaled}e${-decimals}`).toFixed(Math.max(decimals, 0));
    return (x < 0 && Number(text) !== 0 ? "-" : "") + text;
  }

  const powerOfTen = (x, decimals) => x.toExponential(Math.max(1, Math.min(decimals, 12))).replace("e+", "e");

  function decimalsFor(low, high) {
    const half = (high - low) / 2;
    if (!Number.isFinite(half) || half <= 0) return null;
    return half >= 0.03 && half <= 1 ? 2 : Math.ceil(-Math.log10(half)) + 1;
  }

  function number(x, place = null, keep = 2) {
    if (x === null || Number.isNaN(x)) return "";
    if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
    const size = Math.abs(x);
    if (size >= 999999.5) return powerOfTen(x, place === null ? 1 : place + Math.floor(Math.log10(size)));
    const decimals = Math.min(12, Math.max(2, place || 0));
    if (Number(rounded(size, decimals)) >= 1000) return rounded(x, Math.max(0, place || 0));
    if (x !== 0 && keep && size < (keep > 1 ? 0.95 : 0.5) * 10 ** -decimals) {
      const short = Number(size.toPrecision(keep));
      return short < 1e-4 ? powerOfTen(x, 1) : rounded(x, keep - 1 - Math.floor(Math.log10(short)));
    }
    return rounded(x, decimals);
  }

  /** Write an estimate and the ends of its interval to the precision of the interval. */
  function row(values, low, high) {
    const place = decimalsFor(low, high), aroundZero = place !== null && low <= 0 && high >= 0;
    const noise = aroundZero ? 1e-9 * (high - low) : 0;
    const ends = [low, high].map((x) => number(x, place, !aroundZero ? 2 : Math.abs(x) > noise ? 1 : 0));
    return [...values.map((x) => number(x, place, aroundZero ? 0 : 2)), ...ends].map((text) => text.replace(/^-/, "−"));
  }

  function probability(p) {
    if (Number.isNaN(p)) return "";
    if (p >= 0.995) return ">0.99";
    return p < 0.005 ? "<0.01" : rounded(p, 2);
  }

  // ---- SVG

  const SPACE = "http://www.w3.org/2000/svg";

  function svg(name, attributes, text) {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function figure(width, height, label) {
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  }

  /** Ticks on the model scale between low and high, with their texts on the natural scale. */
  function ticks(low, high, log, most) {
    const found = [];
    if (log) {
      for (const steps of [[1, 2, 5], [1, 3], [1]]) {
        found.length = 0;
        const first = Math.floor(low / Math.LN10), last = Math.ceil(high / Math.LN10);
        for (let power = first; power <= last; power++) {
          for (const step of steps) {
            const at = Math.log(step) + power * Math.LN10;
            if (at >= low && at <= high) found.push([at, String(Number(`${step}e${power}`))]);
          }
        }
        if (found.length <= most) break;
      }
      if (found.length >= 2) return found;
      return ticks(Math.exp(low), Math.exp(high), false, most).filter(([x]) => x > 0).map(([x, text]) => [Math.log(x), text]);
    }
    const rough = (high - low) / Math.max(most - 1, 1), power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
      found.push([i * step, (i * step).toFixed(decimals).replace(/^-(0(\.0+)?)$/, "$1").replace("-", "−")]);
    }
    return found;
  }

  /** Where a text begins that would otherwise be cut at an edge. */
  const anchor = (x, width) => (x < 16 ? "start" : x > width - 16 ? "end" : "middle");

  /** Range of the forest plot: the studies' intervals, of which very wide ones are cut. */
  function forestRange(rows, null_) {
    const shown = rows.filter((one) => Number.isFinite(one.y) && Number.isFinite(one.se));
    if (!shown.length) return [null_ - 1, null_ + 1];
    const halves = shown.map((one) => 2 * one.se).sort((a, b) => a - b), typical = halves[(halves.length - 1) >> 1];
    let low = null_, high = null_;
    for (const one of shown) {
      const reach = Math.min(2 * one.se, 2 * typical);
      low = Math.min(low, one.y - reach);
      high = Math.max(high, one.y + reach);
    }
    const margin = 0.04 * (high - low);
    return [low - margin, high + margin];
  }

  /**
   * Forest plot. given: {studies: [{label, y, se, low, high, used, weight}], pooled, run: {label, estimate, low, high, newLow, newHigh},
   * limits (of bands, model scale), log, title, axis}; all on the model scale.
   */
  function forest(given, width) {
    const narrow = width < 620, size = 13, line = narrow ? 38 : 22;
    const back = given.log ? Math.exp : (x) => x;
    const textWidth = narrow ? 0 : Math.min(170, 0.26 * width), numberWidth = narrow ? 0 : 150;
    const left = textWidth + 8, right = width - numberWidth - 8;
    const [low, high] = forestRange(given.studies, 0);
    const at = (x) => left + ((x - low) / (high - low)) * (right - left);
    const clip = (x) => Math.min(Math.max(x, left), right);
    const summaries = [given.pooled, given.run].filter(Boolean);
    const count = given.studies.length, height = 8 + line * (count + summaries.length) + 14 + 38;
    const out = figure(width, height, given.title);
    const bottom = 8 + line * (count + summaries.length) + 10;
    const limits = [low, ...given.limits.filter((x) => x > low && x < high), high];
    const trivial = given.limits.length / 2;
    const skipped = given.limits.filter((x) => x <= low).length;
    for (let i = 0; i + 1 < limits.length && given.limits.length; i++) {
      const distance = Math.abs(i + skipped - trivial);
      out.append(svg("rect", { class: `band band-${distance}`, x: at(limits[i]), y: 4, width: at(limits[i + 1]) - at(limits[i]), height: bottom - 4 }));
    }
    out.append(svg("line", { class: "null", x1: at(0), x2: at(0), y1: 4, y2: bottom }));
    let y = 8;
    const write = (label, numbers, css, middle) => {
      const base = narrow ? y + 13 : middle + 4.5, most = narrow ? width - 150 : textWidth;
      const letters = Math.floor(most / (0.52 * size));
      const short = [...label].length > letters ? `${[...label].slice(0, letters - 1).join("")}…` : label;
      const text = svg("text", { class: css, x: 0, y: base }, short);
      if (short !== label) text.append(svg("title", {}, label));
      out.append(text, svg("text", { class: `${css} number`, x: width, y: base, "text-anchor": "end" }, numbers));
    };
    const whisker = (from, to, middle, css) => {
      const a = clip(at(from)), b = clip(at(to));
      out.append(svg("line", { class: css, x1: a, x2: b, y1: middle, y2: middle }));
      if (at(from) < left) out.append(svg("path", { class: `${css} arrow`, d: `M${left} ${middle}l6 -4v8z` }));
      if (at(to) > right) out.append(svg("path", { class: `${css} arrow`, d: `M${right} ${middle}l-6 -4v8z` }));
    };
    const largest = Math.max(...given.studies.map((one) => one.weight || 0), 1e-300);
    for (const one of given.studies) {
      const middle = narrow ? y + 26 : y + line / 2, css = one.used ? "study" : "study dropped";
      if (Number.isFinite(one.y)) {
        const [estimate, a, b] = row([back(one.y)], back(one.low), back(one.high));
        write(one.label, `${estimate} [${a}, ${b}]`, css, middle);
        whisker(one.low, one.high, middle, css);
        const half = one.used ? 2.5 + 4.5 * Math.sqrt((one.weight || 0) / largest) : 3;
        if (one.y > low && one.y < high) {
          out.append(svg("rect", { class: css, x: at(one.y) - half, y: middle - half, width: 2 * half, height: 2 * half }));
        }
      } else write(one.label, "not estimable", css, middle);
      y += line;
    }
    y += 6;
    for (const one of summaries) {
      const middle = narrow ? y + 26 : y + line / 2, css = one === given.pooled ? "pooled" : "run";
      const [estimate, a, b] = row([back(one.estimate)], back(one.low), back(one.high));
      write(one.label, `${estimate} [${a}, ${b}]`, css, middle);
      if (Number.isFinite(one.newLow)) whisker(one.newLow, one.newHigh, middle, `${css} prediction`);
      const points = [[one.low, middle], [one.estimate, middle - 7], [one.high, middle], [one.estimate, middle + 7]];
      out.append(svg("polygon", { class: css, points: points.map(([x, h]) => `${clip(at(x))},${h}`).join(" ") }));
      y += line;
    }
    out.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    for (const [x, text] of ticks(low, high, given.log, Math.max(3, Math.floor((right - left) / 55)))) {
      out.append(svg("line", { class: "axis", x1: at(x), x2: at(x), y1: bottom, y2: bottom + 4 }),
        svg("text", { class: "tick", x: at(x), y: bottom + 17, "text-anchor": anchor(at(x), width) }, text));
    }
    out.append(svg("text", { class: "tick", x: (left + right) / 2, y: bottom + 34, "text-anchor": "middle" }, given.axis));
    return out;
  }

  /** Curves over one axis. given: {curves: [{css, x, y}], low, high, log, title, axis}. */
  function densities(given, width) {
    const height = 150, left = 4, right = width - 4, bottom = height - 36;
    const out = figure(width, height, given.title);
    const top = Math.max(...given.curves.flatMap((one) => one.y).filter(Number.isFinite), 1e-300);
    // a density that is infinite at 0 must not flatten the others
    const others = given.curves.filter((one) => one.css !== "prior").flatMap((one) => one.y).filter(Number.isFinite);
    const most = Math.min(top, 1.6 * Math.max(...others, 1e-300));
    const at = (x) => left + ((x - given.low) / (given.high - given.low)) * (right - left);
    const up = (y) => bottom - Math.min(Math.max(y / most, 0), 1.02) * (bottom - 8);
    for (const { css, x, y } of given.curves) {
      const points = x.map((one, i) => `${at(one).toFixed(1)},${up(Number.isFinite(y[i]) ? y[i] : most * 2).toFixed(1)}`);
      out.append(svg("polyline", { class: `curve ${css}`, points: points.join(" ") }));
    }
    out.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    for (const [x, text] of ticks(given.low, given.high, given.log, Math.floor(width / 60))) {
      out.append(svg("line", { class: "axis", x1: at(x), x2: at(x), y1: bottom, y2: bottom + 4 }),
        svg("text", { class: "tick", x: at(x), y: bottom + 17, "text-anchor": anchor(at(x), width) }, text));
    }
    out.append(svg("text", { class: "tick", x: width / 2, y: bottom + 33, "text-anchor": "middle" }, given.axis));
    return out;
  }

  Object.assign(BM, { number, row, probability, ticks, forest, densities });
})((globalThis.BM = globalThis.BM || {}));
