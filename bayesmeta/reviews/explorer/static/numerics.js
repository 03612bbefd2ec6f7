// Special functions, Legendre series, and a density on the half line integrated on adaptive panels (as bayesmeta/engines/numerics does).
(function (BM) {
  "use strict";

  const SQRT_2PI = Math.sqrt(2 * Math.PI);
  const LOG_2PI = Math.log(2 * Math.PI);

  // Cody (1969, Math Comp 23:631-637): rational approximations of erf and erfc
  const A = [3.1611237438705656, 113.864154151050156, 377.485237685302021, 3209.37758913846947, 0.185777706184603153];
  const B = [23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062];
  const C = [0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131, 881.95222124176909,
    1712.04761263407058, 2051.07837782607147, 1230.33935479799725, 2.15311535474403846e-8];
  const D = [15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963,
    4362.61909014324716, 3439.36767414372164, 1230.33935480374942];
  const P = [0.305326634961232344, 0.360344899949804439, 0.125781726111229246, 0.0160837851487422766, 6.58749161529837803e-4,
    0.0163153871373020978];
  const Q = [2.56852019228982242, 1.87295284992346725, 0.527905102951428412, 0.0605183413124413191, 0.00233520497626869185];

  /** erfc(x) exp(x^2) for x > 0.46875. */
  function scaledErfc(x) {
    if (x <= 4) {
      let top = C[8] * x, bottom = x;
      for (let i = 0; i < 7; i++) {
        top = (top + C[i]) * x;
        bottom = (bottom + D[i]) * x;
      }
      return (top + C[7]) / (bottom + D[7]);
    }
    const square = 1 / (x * x);
    let top = P[5] * square, bottom = square;
    for (let i = 0; i < 4; i++) {
      top = (top + P[i]) * square;
      bottom = (bottom + Q[i]) * square;
    }
    return (1 / Math.sqrt(Math.PI) - (square * (top + P[4])) / (bottom + Q[4])) / x;
  }

  function erfc(x) {
    const size = Math.abs(x);
    if (size <= 0.46875) {
      const square = size * size;
      let top = A[4] * square, bottom = square;
      for (let i = 0; i < 3; i++) {
        top = (top + A[i]) * square;
        bottom = (bottom + B[i]) * square;
      }
      return 1 - (x * (top + A[3])) / (bottom + B[3]);
    }
    const value = size > 27 ? 0 : scaledErfc(size) * Math.exp(-size * size);
    return x < 0 ? 2 - value : value;
  }

  /** Distribution function of the standard normal distribution. */
  const ndtr = (z) => 0.5 * erfc(-z * Math.SQRT1_2);

  /** log(erfc(x) exp(x^2) / 2) for any x. */
  function logScaledHalfErfc(x) {
    if (x > 0.46875) return Math.log(0.5 * scaledErfc(x));
    return x > -20 ? Math.log(0.5 * erfc(x)) + x * x : x * x;
  }

  /** Quantile function of the standard normal distribution. */
  function ndtri(p) {
    if (p <= 0) return -Infinity;
    if (p >= 1) return Infinity;
    if (p > 0.5) return -ndtri(1 - p);
    // Abramowitz and Stegun 26.2.23, then Halley's steps
    const t = Math.sqrt(-2 * Math.log(p));
    let z = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    for (let i = 0; i < 4; i++) {
      const step = ((ndtr(z) - p) * SQRT_2PI) / Math.exp(-0.5 * z * z);
      z -= step / (1 + 0.5 * z * step);
    }
    return z;
  }

  const LANCZOS = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];

  function gammaln(x) {
    if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - gammaln(1 - x);
    let sum = LANCZOS[0];
    for (let i = 1; i < 9; i++) sum += LANCZOS[i] / (x - 1 + i);
    const t = x + 6.5;
    return 0.5 * LOG_2PI + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  }

  /** Legendre polynomials of degree 0 to size - 1 at t. */
  function legendreBasis(t, size) {
    const out = new Float64Array(size);
    out[0] = 1;
    if (size > 1) out[1] = t;
    for (let n = 1; n < size - 1; n++) out[n + 1] = ((2 * n + 1) * t * out[n] - n * out[n - 1]) / (n + 1);
    return out;
  }

  const rules = new Map();

  /** Gauss-Legendre nodes and weights, and the matrices from values to Legendre coefficients of the function and of its integral. */
  function legendreRule(n) {
    if (rules.has(n)) return rules.get(n);
    const nodes = new Float64Array(n), weights = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let x = -Math.cos((Math.PI * (i + 0.75)) / (n + 0.5)), slope = 1;
      for (let step = 0; step < 50; step++) {
        const basis = legendreBasis(x, n + 1);
        slope = (n * (x * basis[n] - basis[n - 1])) / (x * x - 1);
        const moved = basis[n] / slope;
        x -= moved;
        if (Math.abs(moved) < 1e-16) break;
      }
      nodes[i] = x;
      weights[i] = 2 / ((1 - x * x) * slope * slope);
    }
    const toSeries = [];
    for (let i = 0; i < n; i++) {
      const basis = legendreBasis(nodes[i], n);
      toSeries.push(basis.map((value, degree) => value * weights[i] * (degree + 0.5)));
    }
    const rule = { nodes, weights, toSeries };
    rules.set(n, rule);
    return rule;
  }

  function seriesOf(values, toSeries) {
    const n = values.length, out = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const row = toSeries[i], value = values[i];
      for (let s = 0; s < n; s++) out[s] += value * row[s];
    }
    return out;
  }

  /** Legendre coefficients of the integral from -1 of a series. */
  function integralOf(series) {
    const n = series.length, out = new Float64Array(n + 1);
    out[0] += series[0];
    out[1] += series[0];
    for (let s = 1; s < n; s++) {
      out[s + 1] += series[s] / (2 * s + 1);
      out[s - 1] -= series[s] / (2 * s + 1);
    }
    return out;
  }

  function evaluate(series, t) {
    const n = series.length;
    let before = 1, now = t, sum = series[0] + (n > 1 ? series[1] * t : 0);
    for (let s = 1; s < n - 1; s++) {
      const next = ((2 * s + 1) * t * now - s * before) / (s + 1);
      sum += series[s + 1] * next;
      before = now;
      now = next;
    }
    return sum;
  }

  /** Solve cdf(x) = p between low and high by safeguarded Newton steps. */
  function solveIncreasing(cdf, pdf, p, low, high, start, precision) {
    let x = Math.min(Math.max(start, low), high);
    for (let step = 0; step < 300; step++) {
      const gap = cdf(x) - p;
      if (gap === 0) return x;
      if (gap < 0) low = x;
      else high = x;
      let next = x - gap / pdf(x);
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      const moved = Math.abs(next - x);
      x = next;
      if (moved <= precision * (1 + Math.abs(x)) || high - low <= precision * (1 + Math.abs(x)) * 1e-3) return x;
    }
    return x;
  }

  // maps of (0, 1) onto the support of tau: see Map in bayesmeta/engines/numerics/panels.py
  const LARGEST_LOG = 340;

  function halfLine(low, scale) {
    return {
      low, high: Infinity,
      forward(x) {
        x = Math.min(Math.max(x, 1e-300), 1 - 2 ** -53);
        return [low + (scale * x) / (1 - x), Math.log(scale) - 2 * Math.log1p(-x)];
      },
      inverse: (tau) => (tau === Infinity ? 1 : 1 - 1 / (1 + Math.max((tau - low) / scale, 0))),
      slope: (tau) => 1 / (scale * (1 + Math.max((tau - low) / scale, 0)) ** 2),
      // x = 1 / (1 + scale / (i s - low))
      pole(s) {
        const re = -low + scale, size = re * re + s * s;
        return [(-low * re + s * s) / size, (s * re + low * s) / size];
      },
    };
  }

  function interval(low, scale) {
    return {
      low, high: low + scale,
      forward: (x) => [low + scale * x, Math.log(scale)],
      inverse: (tau) => Math.min(Math.max((tau - low) / scale, 0), 1),
      slope: (tau) => (tau < low || tau > low + scale ? 0 : 1 / scale),
      pole: (s) => [-low / scale, s / scale],
    };
  }

  function logLine(centre, scale, power) {
    const fraction = (z) => (2 * z) / (1 + Math.sqrt(1 + 4 * z * z));
    return {
      low: 0, high: Infinity,
      forward(x) {
        x = Math.min(Math.max(x, 1e-300), 1 - 2 ** -53);
        const u = 2 * x - 1, gap = 4 * x * (1 - x), logTau = centre + (scale * u) / gap;
        const kept = Math.min(Math.max(logTau, -LARGEST_LOG), LARGEST_LOG);
        let logSlope = kept + Math.log(2 * scale * (1 + u * u)) - 2 * Math.log(gap);
        if (logTau > LARGEST_LOG || (logTau < -LARGEST_LOG && power === undefined)) logSlope = -Infinity;
        else if (logTau < -LARGEST_LOG) logSlope += power * (logTau + LARGEST_LOG);
        return [Math.exp(kept), logSlope];
      },
      inverse(tau) {
        if (tau <= 0) return 0;
        return tau === Infinity ? 1 : 0.5 * (1 + fraction((Math.log(tau) - centre) / scale));
      },
      slope(tau) {
        if (tau <= 0) return 0;
        const u = fraction((Math.log(tau) - centre) / scale), gap = 1 - u * u;
        return (0.5 * gap * gap) / (1 + u * u) / (scale * tau);
      },
      // x = 1/2 + z / (1 + sqrt(1 + 4 z^2)) with z = (log(i s) - centre) / scale
      pole(s) {
        const a = (Math.log(s) - centre) / scale, b = Math.PI / 2 / scale;
        const re = 1 + 4 * (a * a - b * b), im = 8 * a * b, size = Math.hypot(re, im);
        const rootRe = Math.sqrt((size + re) / 2), rootIm = (im < 0 ? -1 : 1) * Math.sqrt(Math.max((size - re) / 2, 0));
        const c = 1 + rootRe, d = rootIm, whole = c * c + d * d;
        return [0.5 + (a * c + b * d) / whole, (b * c - a * d) / whole];
      },
    };
  }

  const NODES = 20, MAX_PANELS = 2000;

  /**
   * Normalize a density of tau by adaptive bisection of panels in x.
   *
   * logDensity(tau) is the natural log of the unnormalized density; extra(tau) is an optional factor whose integral must be accurate too.
   */
  function integrate(logDensity, map, { tolerance = 1e-12, edges = [0, 0.25, 0.5, 0.75, 1], factor = null } = {}) {
    const { nodes, weights, toSeries } = legendreRule(NODES);
    let waiting = edges.slice(1).map((high, i) => [edges[i], high]);
    const kept = [];
    while (waiting.length) {
      const made = waiting.map(([low, high]) => {
        const half = 0.5 * (high - low), tau = new Float64Array(NODES), log = new Float64Array(NODES);
        let own = -1e300;
        for (let i = 0; i < NODES; i++) {
          const [value, slope] = map.forward(low + half * (nodes[i] + 1));
          tau[i] = value;
          log[i] = logDensity(value) + slope;
          if (Number.isNaN(log[i])) log[i] = -Infinity;
          own = Math.max(own, log[i]);
        }
        const value = log.map((one) => Math.exp(one - own));
        let mass = 0, weighted = 0;
        const moment = value.map((one, i) => (one > 0 && factor ? one * (1 + factor(tau[i])) : one));
        for (let i = 0; i < NODES; i++) {
          mass += value[i] * weights[i] * half;
          weighted += moment[i] * weights[i] * half;
        }
        const tailOf = (values) => {
          const series = seriesOf(values, toSeries);
          return half * (Math.abs(series[NODES - 1]) + Math.abs(series[NODES - 2]) + Math.abs(series[NODES - 3]));
        };
        return { low, high, half, tau, log, own, mass, weighted, tail: tailOf(moment), plain: factor ? tailOf(value) : 0 };
      });
      const peak = Math.max(...made.map((one) => one.own), ...kept.map((one) => one.own));
      if (!(peak > -1e300 && peak < Infinity)) throw new Error("The posterior of tau is zero or not finite everywhere.");
      let whole = 0, size = 0;
      for (const one of [...kept, ...made]) {
        whole += one.mass * Math.exp(one.own - peak);
        size += one.weighted * Math.exp(one.own - peak);
      }
      waiting = [];
      for (const one of made) {
        const share = Math.exp(one.own - peak);
        let good = one.tail * share <= tolerance * Math.max(size, whole);
        if (size > 10 * whole) good = good && one.plain * share <= tolerance * whole;
        if (good || one.half < 1e-14) kept.push(one);
        else {
          const middle = 0.5 * (one.low + one.high);
          waiting.push([one.low, middle], [middle, one.high]);
        }
      }
      if (kept.length + waiting.length > MAX_PANELS) throw new Error("The integral over tau did not reach its tolerance.");
    }
    kept.sort((a, b) => a.low - b.low);
    return new PanelDensity(map, kept, logDensity);
  }

  class PanelDensity {
    constructor(map, panels, logDensity) {
      const { weights, toSeries } = legendreRule(NODES);
      this.map = map;
      this.logDensity = logDensity;
      const peak = Math.max(...panels.map((one) => one.own));
      const total = panels.reduce((sum, one) => sum + one.mass * Math.exp(one.own - peak), 0);
      this.logTotal = Math.log(total) + peak;
      this.panels = [];
      this.nodes = [];
      this.weights = [];
      let before = 0;
      for (const { low, high, half, tau, log } of panels) {
        const value = log.map((one) => Math.exp(one - this.logTotal));
        const series = seriesOf(value, toSeries), integral = integralOf(series).map((one) => one * half);
        let mass = 0;
        for (let i = 0; i < NODES; i++) {
          const weight = value[i] * weights[i] * half;
          mass += weight;
          if (weight > 1e-40) {
            this.nodes.push(tau[i]);
            this.weights.push(weight);
          }
        }
        this.panels.push({ low, high, half, series, integral, before, mass });
        before += mass;
      }
    }

    _panel(x) {
      let low = 0, high = this.panels.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.panels[middle].low <= x) low = middle;
        else high = middle - 1;
      }
      const panel = this.panels[low];
      return [panel, Math.min(Math.max((x - panel.low) / panel.half - 1, -1), 1)];
    }

    cdf(tau) {
      if (tau <= this.map.low) return 0;
      if (tau >= this.map.high) return 1;
      const [panel, t] = this._panel(this.map.inverse(tau));
      return Math.min(Math.max(panel.before + evaluate(panel.integral, t), 0), 1);
    }

    pdf(tau) {
      if (tau < this.map.low || tau > this.map.high || !Number.isFinite(tau)) return 0;
      const [panel, t] = this._panel(this.map.inverse(tau));
      return Math.max(evaluate(panel.series, t), 0) * this.map.slope(tau);
    }

    quantile(p) {
      if (p <= 0) return this.map.low;
      if (p >= 1) return this.map.high;
      let panel = this.panels[0];
      for (const one of this.panels) if (one.before <= p) panel = one;
      const t = solveIncreasing(
        (at) => evaluate(panel.integral, at), (at) => Math.max(evaluate(panel.series, at) * panel.half, 1e-300),
        p - panel.before, -1, 1, -1 + (2 * (p - panel.before)) / Math.max(panel.mass, 1e-300), 1e-14);
      return this.map.forward(panel.low + panel.half * (t + 1))[0];
    }

    /** Nodes of tau and probabilities that also resolve functions with poles at i s, for s from narrowest to widest. */
    resolving(narrowest, widest) {
      const { nodes, weights } = legendreRule(NODES);
      const poles = [];
      for (let s = narrowest; ; s *= 4) {
        poles.push(this.map.pole(s));
        if (s >= widest) break;
      }
      const resolved = (low, high, mass) => {
        let nearest = Infinity;
        for (const [re, im] of poles) nearest = Math.min(nearest, Math.hypot(re - low, im) + Math.hypot(re - high, im));
        const axis = Math.max(nearest / (high - low), 1);
        return mass * (axis + Math.sqrt(axis * axis - 1)) ** (-2 * NODES) <= 1e-15;
      };
      const found = [];
      let waiting = this.panels.map(({ low, high, mass }) => [low, high, mass]), changed = false;
      for (let halving = 0; waiting.length && halving < 80; halving++) {
        const next = [];
        for (const [low, high, mass] of waiting) {
          if (resolved(low, high, mass)) found.push([low, high]);
          else next.push([low, 0.5 * (low + high), mass], [0.5 * (low + high), high, mass]);
        }
        changed = changed || next.length > 0;
        waiting = next;
      }
      if (!changed) return { tau: this.nodes, weights: this.weights };
      found.push(...waiting.map(([low, high]) => [low, high]));
      found.sort((a, b) => a[0] - b[0]);
      const tau = [], out = [];
      for (const [low, high] of found) {
        const half = 0.5 * (high - low);
        for (let i = 0; i < NODES; i++) {
          const [value, slope] = this.map.forward(low + half * (nodes[i] + 1));
          const weight = half * weights[i] * Math.exp(this.logDensity(value) + slope - this.logTotal);
          if (weight > 1e-40) {
            tau.push(value);
            out.push(weight);
          }
        }
      }
      return { tau, weights: out };
    }
  }

  Object.assign(BM, {
    SQRT_2PI, LOG_2PI, erfc, ndtr, ndtri, gammaln, logScaledHalfErfc, legendreRule, seriesOf, integralOf, evaluate, solveIncreasing,
    halfLine, interval, logLine, integrate,
  });
})((globalThis.BM = globalThis.BM || {}));
