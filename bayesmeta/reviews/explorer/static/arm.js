// Posterior under an arm-level likelihood, from each study's table of log m_i (as bayesmeta/engines/arm_level): m_i is smoothed by
// Normal(mu, tau^2), given tau mu is on two panels, and tau is integrated on adaptive panels.
(function (BM) {
  "use strict";

  const { LOG_2PI, SQRT_2PI, ndtr, legendreRule } = BM;
  // a factor this far below its maximum (natural log) is negligible; nodes follow the normal density below NARROW times m_i's own scale
  const NEGLIGIBLE = 34, NARROW = 0.5, WIDE = 1.5, COUNTS = 27, FAR = 15, REACH = 8.6;

  /** log m_i(theta) from its compact table. */
  class StudyTable {
    constructor({ split, corner, sides }) {
      Object.assign(this, { split, corner, sides });
    }

    at(theta) {
      const side = this.sides[theta < this.split ? 0 : 1], length = side.end - this.split;
      const share = (theta - this.split) / length;
      if (share > 1) return this._inside(side, 1) + side.slope * (theta - side.end);
      return this._inside(side, Math.sqrt(Math.max(share, 0)));
    }

    _inside(side, r) {
      const { cuts, series } = side;
      let low = 0, high = series.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (cuts[middle] <= r) low = middle;
        else high = middle - 1;
      }
      const panel = series[low], t = (2 * (r - cuts[low])) / (cuts[low + 1] - cuts[low]) - 1;
      let after = 0, next = 0;
      for (let s = panel.length - 1; s > 0; s--) {
        const now = 2 * t * after - next + panel[s];
        next = after;
        after = now;
      }
      return t * after - next + panel[0];
    }
  }

  /** Natural log of the integral over t > z of exp(slope (t - z)) times the standard normal density. */
  const logTail = (z, slope) => BM.logScaledHalfErfc((z - slope) * Math.SQRT1_2) - 0.5 * z * z;
  const logAdd = (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b))));

  /** One study's m_i smoothed by Normal(mu, tau^2). */
  class SmoothedStudy {
    constructor(given) {
      const table = new StudyTable(given), { split, sides } = table;
      this.table = table;
      const theta = [], value = [], slope = [], step = 1e-6 * (sides[1].end - sides[0].end);
      for (let i = -256; i <= 256; i++) {
        const at = split + ((i < 0 ? sides[0] : sides[1]).end - split) * (i / 256) ** 2;
        theta.push(at);
        value.push(table.at(at));
        slope.push((table.at(at + (i > 0 ? step : -step)) - table.at(at)) / (i > 0 ? step : -step));
      }
      for (const [i, side] of [[0, sides[0]], [512, sides[1]]]) slope[i] = Math.abs(side.slope) < 1e-9 ? 0 : side.slope;
      let best = 0;
      for (let i = 0; i < 513; i++) if (value[i] > value[best]) best = i;
      this.peak = value[best];
      this.peakAt = theta[best];
      for (let i = 0; i < 513; i++) value[i] -= this.peak;
      const [first, last] = core(theta, value, slope);
      this.scale = smallestScale(theta, value, slope, first, last, table);
      this.edges = [[theta[first], value[first], slope[0], -1], [theta[last], value[last], slope[512], 1]];
      const ends = [theta[first], theta[last]];
      this.fine = this._rule(ends, this.scale / Math.sqrt(1 + NARROW ** -2));
      this.coarse = this._rule(ends, this.scale / Math.sqrt(1 + WIDE ** -2));
    }

    /** Nodes between the ends, split at a corner, for integrands whose smallest standard deviation is least. */
    _rule([low, high], least) {
      const { table, peak } = this, nodes = [], logWeights = [];
      const cuts = table.corner && table.split > low && table.split < high ? [low, table.split, high] : [low, high];
      for (let i = 0; i + 1 < cuts.length; i++) {
        const size = Math.ceil((1.6 * (cuts[i + 1] - cuts[i])) / least) + 6, pieces = Math.ceil(size / 96);
        const rule = legendreRule(Math.ceil(size / pieces) + (pieces > 1 ? 6 : 0)), width = (cuts[i + 1] - cuts[i]) / pieces;
        for (let piece = 0; piece < pieces; piece++) {
          for (let j = 0; j < rule.nodes.length; j++) {
            const at = cuts[i] + width * (piece + 0.5 * (rule.nodes[j] + 1));
            const weight = table.at(at) - peak + Math.log(0.5 * width * rule.weights[j]);
            if (weight > -NEGLIGIBLE - 4) {
              nodes.push(at);
              logWeights.push(weight);
            }
          }
        }
      }
      return { nodes: Float64Array.from(nodes), logWeights: Float64Array.from(logWeights), logs: new Float64Array(nodes.length) };
    }

    /** log g_i(mu, tau). */
    logSmooth(mu, tau) {
      // the error of a smaller tau is of the order of (tau / scale)^2
      if (tau < 1e-6 * this.scale) return this.table.at(mu);
      const share = tau / this.scale;
      const value = share < NARROW ? this._alongNormal(mu, tau) : this._onOwnScale(mu, tau, share < WIDE ? this.fine : this.coarse);
      if (share > 0.01 && value + Math.log(Math.max(share, 1)) < -FAR) return this._aboutProduct(mu, tau, value) + this.peak;
      return value + this.peak;
    }

    _onOwnScale(mu, tau, { nodes, logWeights, logs }) {
      const count = nodes.length, half = -0.5 / (tau * tau);
      let top = -Infinity;
      for (let j = 0; j < count; j++) {
        const gap = nodes[j] - mu, log = logWeights[j] + half * gap * gap;
        logs[j] = log;
        if (log > top) top = log;
      }
      let sum = 0;
      for (let j = 0; j < count; j++) if (logs[j] > top - 30) sum += Math.exp(logs[j] - top);
      let out = top + Math.log(sum) - Math.log(tau) - 0.5 * LOG_2PI;
      for (const [edge, value, slope, outward] of this.edges) {
        if (value > 3 - NEGLIGIBLE) out = logAdd(out, value + logTail((outward * (edge - mu)) / tau, outward * slope * tau));
      }
      return out;
    }

    _alongNormal(mu, tau) {
      const corner = (this.table.split - mu) / tau;
      const cuts = this.table.corner && Math.abs(corner) < REACH ? [-REACH, corner, REACH] : [-REACH, REACH];
      const rule = legendreRule(cuts.length > 2 ? 28 : 40), logs = [];
      let top = -Infinity;
      for (let i = 0; i + 1 < cuts.length; i++) {
        const half = 0.5 * (cuts[i + 1] - cuts[i]);
        for (let j = 0; j < rule.nodes.length; j++) {
          const z = cuts[i] + half * (rule.nodes[j] + 1);
          const log = this.table.at(mu + tau * z) - 0.5 * z * z + Math.log(half * rule.weights[j]);
          logs.push(log);
          if (log > top) top = log;
        }
      }
      return top + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - top), 0)) - 0.5 * LOG_2PI - this.peak;
    }

    /** Where the study contradicts mu: a rule about the mode of the product of both factors. */
    _aboutProduct(mu, tau, known) {
      const log = (theta) => this.table.at(theta) - this.peak - 0.5 * ((theta - mu) / tau) ** 2;
      const step = 0.02 * Math.min(tau, this.scale);
      let low = Math.min(mu, this.peakAt), high = Math.max(mu, this.peakAt), bend = -1 / (tau * tau);
      let mode = (mu * this.scale ** 2 + this.peakAt * tau * tau) / (this.scale ** 2 + tau * tau);
      for (let i = 0; i < 30; i++) {
        const before = log(mode - step), here = log(mode), after = log(mode + step), slope = (after - before) / (2 * step);
        bend = Math.min((before + after - 2 * here) / (step * step), -0.2 / (tau * tau));
        if (slope > 0) low = mode;
        else high = mode;
        let next = mode - slope / bend;
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        const moved = Math.abs(next - mode);
        mode = next;
        // the rule is as good about a point near the mode
        if (moved < 0.02 / Math.sqrt(-bend)) break;
      }
      const sd = 1 / Math.sqrt(-bend);
      if (this.table.corner && Math.abs(mode - this.table.split) < REACH * sd) return known;
      const rule = legendreRule(40), top = log(mode);
      let sum = 0;
      for (let j = 0; j < 40; j++) sum += rule.weights[j] * Math.exp(log(mode + REACH * sd * rule.nodes[j]) - top);
      return top + Math.log(sum * REACH * sd) - Math.log(tau) - 0.5 * LOG_2PI;
    }
  }

  /** First and last point between which nodes are needed: m_i is not negligible and not yet log-linear there. */
  function core(theta, value, slope) {
    const count = theta.length;
    let first = 0, last = count - 1;
    while (value[first] <= -NEGLIGIBLE) first++;
    while (value[last] <= -NEGLIGIBLE) last--;
    const straight = (end, i) => Math.abs(value[end] + slope[end] * (theta[i] - theta[end]) - value[i]) <= 1e-9;
    if (value[0] > -NEGLIGIBLE) {
      let i = 0;
      while (i < count && straight(0, i)) i++;
      first = i < count ? i : count >> 1;
    }
    if (value[count - 1] > -NEGLIGIBLE) {
      let i = count - 1;
      while (i >= 0 && straight(count - 1, i)) i--;
      last = i >= 0 ? i : count >> 1;
    }
    first = Math.max(first - 1, 0);
    return [first, Math.max(Math.min(last + 1, count - 1), first + 1)];
  }

  /** Smallest scale on which m_i changes where it matters. */
  function smallestScale(theta, value, slope, first, last, table) {
    let curvature = 1e-12, steepest = 1e-12;
    for (let i = 0; i + 1 < theta.length; i++) {
      const height = Math.max(value[i], value[i + 1]), step = Math.max(theta[i + 1] - theta[i], 1e-9);
      const bend = (slope[i + 1] - slope[i]) / step, gradient = (value[i + 1] - value[i]) / step;
      const counts = Math.min(Math.max(1 + height / COUNTS, 0), 1);
      if (!(table.corner && theta[i] <= table.split && theta[i + 1] >= table.split)) {
        curvature = Math.max(curvature, Math.min(Math.abs(bend), Math.abs(bend + gradient ** 2)) * counts);
      }
      steepest = Math.max(steepest, Math.abs(gradient) * Math.exp(height));
    }
    return Math.min(2, 1 / Math.sqrt(curvature), 3 / steepest, (theta[last] - theta[first]) / 4);
  }

  /** A study known by its effect and variance: g_i is a normal density. */
  class NormalStudy {
    constructor(effect, variance) {
      Object.assign(this, { effect, variance });
    }

    logSmooth(mu, tau) {
      const total = this.variance + tau * tau;
      return -0.5 * (LOG_2PI + Math.log(total) + (this.effect - mu) ** 2 / total);
    }
  }

  const DROP = 30, POINTS = 17;

  /** Where the density of mu given tau has fallen by DROP from its maximum, its mode, and where it has fallen by 2. */
  function searchRange(joint, tau, mean, sd) {
    const log = (mu) => {
      const found = joint(mu, tau);
      return Number.isNaN(found) ? -1e300 : Math.max(found, -1e300);
    };
    let low = mean - 8.5 * sd, high = mean + 8.5 * sd, mode = mean;
    for (let round = 0; ; round++) {
      if (round > 60 || !Number.isFinite(high - low) || high - low > 4e4 * (1 + sd + tau)) {
        throw new Error("These data and the prior for mu do not bound the pooled effect: choose a normal prior for mu.");
      }
      const values = Array.from({ length: POINTS }, (_, i) => low + ((high - low) * i) / (POINTS - 1));
      if (mode > low && mode < high && !values.includes(mode)) values.push(mode);
      values.sort((a, b) => a - b);
      const logs = values.map(log), top = Math.max(...logs), fallen = logs.map((one) => top - one);
      mode = values[logs.indexOf(top)];
      const last = values.length - 1, width = high - low, growLow = fallen[0] < DROP, growHigh = fallen[last] < DROP;
      if (growLow) low -= 0.7 * width;
      if (growHigh) high += 0.7 * width;
      if (growLow || growHigh) continue;
      const from = fallen.findIndex((one) => one < DROP), to = last - [...fallen].reverse().findIndex((one) => one < DROP);
      [low, high] = [values[from - 1], values[to + 1]];
      if (to - from < 8) continue;
      // the root of the fall is nearly linear
      const reach = (i, j) => {
        const a = Math.sqrt(fallen[i]), b = Math.sqrt(fallen[j]), share = (Math.SQRT2 - a) / Math.max(b - a, 1e-12);
        return Math.abs(values[i] + (values[j] - values[i]) * Math.min(Math.max(share, 0), 1) - mode);
      };
      const near = fallen.findIndex((one) => one < 2), far = last - [...fallen].reverse().findIndex((one) => one < 2);
      return { tau, low, high, mode, scale: Math.max(0.5 * (reach(near, near - 1) + reach(far, far + 1)) / 2, (high - low) * 1e-4) };
    }
  }

  /** p(data, mu | tau) on two panels of u, with mu = mode + scale sinh(u), which is smooth under light and heavy tails. */
  class Slice {
    constructor(joint, tau, { low, high, mode, scale }, cutAtZero) {
      const margin = 0.02 * (high - low), to = (mu) => Math.asinh((mu - mode) / scale);
      const inner = cutAtZero && low + margin < 0 && high - margin > 0;
      const edges = [to(low), inner ? to(0) : 0, to(high)];
      Object.assign(this, { tau, mode, scale, edges, low, high });
      for (const size of [24, 40, 64, 96]) {
        this._fill(joint, tau, edges, size);
        if (this.error < 1e-8) break;
      }
    }

    _fill(joint, tau, edges, size) {
      const rule = legendreRule(size), mu = [], log = [];
      let top = -Infinity;
      for (let panel = 0; panel < 2; panel++) {
        const half = 0.5 * (edges[panel + 1] - edges[panel]);
        for (let j = 0; j < size; j++) {
          const u = edges[panel] + half * (rule.nodes[j] + 1), at = this.mode + this.scale * Math.sinh(u), value = joint(at, tau);
          mu.push(at);
          log.push((Number.isNaN(value) ? -1e300 : Math.max(value, -1e300)) + Math.log(this.scale * Math.cosh(u)));
          top = Math.max(top, log[log.length - 1]);
        }
      }
      const value = log.map((one) => Math.exp(one - top)), mass = [];
      let total = 0;
      for (let j = 0; j < value.length; j++) {
        const half = 0.5 * (edges[j < size ? 1 : 2] - edges[j < size ? 0 : 1]);
        mass.push(value[j] * rule.weights[j % size] * half);
        total += mass[j];
      }
      this.logTotal = Math.log(total) + top;
      this.panels = [];
      this.error = 0;
      let before = 0;
      for (let panel = 0; panel < 2; panel++) {
        const low = edges[panel], half = 0.5 * (edges[panel + 1] - low);
        const series = BM.seriesOf(value.slice(panel * size, (panel + 1) * size).map((one) => one / total), rule.toSeries);
        const integral = BM.integralOf(series).map((one) => one * half);
        this.panels.push({ low, half, series, integral, before });
        before += mass.slice(panel * size, (panel + 1) * size).reduce((a, b) => a + b, 0) / total;
        this.error += (Math.max(Math.abs(series[size - 1]), Math.abs(series[size - 2])) * half) / size;
      }
      this.mu = mu;
      this.mass = mass.map((one) => one / total);
      this.ends = Math.max(log[0], log[log.length - 1]) - top;
      this.mean = mu.reduce((sum, one, j) => sum + one * this.mass[j], 0);
      this.sd = Math.sqrt(mu.reduce((sum, one, j) => sum + (one - this.mean) ** 2 * this.mass[j], 0));
    }

    cdf(x) {
      if (x <= this.low) return 0;
      if (x >= this.high) return 1;
      const u = Math.asinh((x - this.mode) / this.scale), panel = this.panels[u < this.edges[1] ? 0 : 1];
      return panel.before + BM.evaluate(panel.integral, (u - panel.low) / panel.half - 1);
    }

    pdf(x) {
      if (x <= this.low || x >= this.high) return 0;
      const u = Math.asinh((x - this.mode) / this.scale), panel = this.panels[u < this.edges[1] ? 0 : 1];
      return Math.max(BM.evaluate(panel.series, (u - panel.low) / panel.half - 1), 0) / (this.scale * Math.cosh(u));
    }

    /** Distribution function and density of the effect in a new study, mu + tau z. */
    fresh(x) {
      if (this.tau === 0) return [this.cdf(x), this.pdf(x)];
      let below = 0, density = 0;
      if (this.tau > 0.6 * this.sd) {
        for (let j = 0; j < this.mu.length; j++) {
          const z = (x - this.mu[j]) / this.tau;
          below += this.mass[j] * ndtr(z);
          density += (this.mass[j] * Math.exp(-0.5 * z * z)) / (SQRT_2PI * this.tau);
        }
        return [below, density];
      }
      const rule = legendreRule(32);
      for (let j = 0; j < 32; j++) {
        const z = REACH * rule.nodes[j], weight = (REACH * rule.weights[j] * Math.exp(-0.5 * z * z)) / SQRT_2PI;
        below += weight * this.cdf(x - this.tau * z);
        density += weight * this.pdf(x - this.tau * z);
      }
      return [below, density];
    }
  }

  /** The distribution of mu, or of the effect in a new study, as a mixture over tau. */
  class SliceMixture {
    constructor(weights, slices, fresh) {
      Object.assign(this, { weights, slices, isFresh: fresh });
    }

    _sum(of) {
      return this.slices.reduce((sum, slice, j) => sum + this.weights[j] * of(slice), 0);
    }

    cdf(x) {
      return this._sum(this.isFresh ? (slice) => slice.fresh(x)[0] : (slice) => slice.cdf(x));
    }

    pdf(x) {
      return this._sum(this.isFresh ? (slice) => slice.fresh(x)[1] : (slice) => slice.pdf(x));
    }

    quantile(p) {
      const z = BM.ndtri(p);
      let low = Infinity, high = -Infinity;
      for (const slice of this.slices) {
        const extra = this.isFresh ? (Math.abs(z) + 1) * slice.tau : 0;
        low = Math.min(low, slice.low - extra);
        high = Math.max(high, slice.high + extra);
      }
      const centre = this._sum((slice) => slice.mean);
      const spread = Math.exp(this._sum((slice) => 0.5 * Math.log(slice.sd ** 2 + (this.isFresh ? slice.tau ** 2 : 0))));
      return BM.solveIncreasing((x) => this.cdf(x), (x) => this.pdf(x), p, low, high, centre + z * spread, 1e-10);
    }
  }

  /** The studies of an analysis under one prior for mu; keeps p(data | tau), which no prior for tau changes. */
  class ArmModel {
    /** studies: [{table, guide: [effect, variance], variance}] or [{effect, variance}]; mu: {family, args}. */
    constructor(studies, mu) {
      if (!studies.length) throw new Error("No study is left: tick at least one.");
      this.given = studies;
      this.studies = studies.map((one) => one.smoothed || new NormalStudy(one.effect, one.variance));
      const logPrior = BM.FAMILIES_OF_MU[mu.family].logpdf;
      this.mu = mu;
      this.joint = (at, tau) => this.studies.reduce((sum, study) => sum + study.logSmooth(at, tau), logPrior(at, ...mu.args));
      this.corner = this.studies.some((study) => study.table && study.table.corner);
      this.slices = new Map();
      this.ranges = [];
    }

    slice(tau) {
      let found = this.slices.get(tau);
      if (!found) {
        found = new Slice(this.joint, tau, this._rangeBetween(tau) || this._range(tau), this.corner);
        // where the ends were taken from neighbours they must be beyond the density
        if (found.ends > -0.7 * DROP) found = new Slice(this.joint, tau, this._range(tau), this.corner);
        this.slices.set(tau, found);
      }
      return found;
    }

    _range(tau) {
      let precision = 0, weighted = 0;
      for (const { guide, effect, variance } of this.given) {
        const [centre, spread] = guide || [effect, variance], weight = 1 / (spread + tau * tau);
        precision += weight;
        weighted += weight * centre;
      }
      if (this.mu.args.length) {
        const [centre, sd] = this.mu.args.slice(-2);
        precision += 1 / (sd * sd);
        weighted += centre / (sd * sd);
      }
      return searchRange(this.joint, tau, weighted / precision, 1 / Math.sqrt(precision));
    }

    /** The range of mu between two tau for which it is known, if they are near each other. */
    _rangeBetween(tau) {
      const after = this.ranges.findIndex((one) => one.tau >= tau);
      if (after < 1) return null;
      const a = this.ranges[after - 1], b = this.ranges[after], share = (tau - a.tau) / (b.tau - a.tau);
      if ((b.high - b.low) / (a.high - a.low) > 3 || (a.high - a.low) / (b.high - b.low) > 3) return null;
      const mix = (name) => a[name] + share * (b[name] - a[name]);
      return { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high), mode: mix("mode"), scale: mix("scale") };
    }

    /** Posterior under a prior for tau, as from solveNormal but for the effects in the studies. */
    solve(tauGiven) {
      const prior = BM.tauPrior(tauGiven), variances = this.given.map((one) => one.variance);
      const typicalVariance = BM.typicalVariance(variances);
      if (prior.fixed !== null) {
        const slice = this.slice(prior.fixed);
        return {
          typicalVariance, logTotal: slice.logTotal, tau: new BM.Fixed(prior.fixed),
          mu: new SliceMixture([1], [slice], false), fresh: new SliceMixture([1], [slice], true),
        };
      }
      const ordered = [...variances].sort((a, b) => a - b), middle = ordered[(ordered.length - 1) >> 1];
      // not from the prior, so that the nodes are the same under all priors of one family
      const size = Math.sqrt(Math.sqrt(middle) * Math.min(Math.max(Math.sqrt(middle), 1e-3), 1));
      if (!this.ranges.length) {
        this.ranges = [0, 0.1, 0.2, 0.4, 0.7, 1.1, 1.7, 2.6, 4, 6, 9, 14, 22, 36, 60].map((share) => this._range(share * size));
      }
      const flat = this.mu.family === "Flat" ? 1 : 0, moments = BM.finiteMoments(prior, variances.length, flat);
      const tau = BM.integrate((t) => prior.logpdf(t) + this.slice(t).logTotal, BM.tauMap(prior, size),
        { tolerance: 1e-8, factor: moments ? (t) => (t / size) ** moments : null });
      const kept = tau.weights.map((weight, j) => [weight, tau.nodes[j]]).filter(([weight]) => weight > 1e-12);
      const whole = kept.reduce((sum, [weight]) => sum + weight, 0);
      const weights = kept.map(([weight]) => weight / whole), slices = kept.map(([, at]) => this.slice(at));
      if (this.slices.size > 4000) this.slices.clear();
      return {
        typicalVariance, logTotal: tau.logTotal, tau,
        mu: new SliceMixture(weights, slices, false), fresh: new SliceMixture(weights, slices, true),
      };
    }
  }

  Object.assign(BM, { StudyTable, SmoothedStudy, NormalStudy, ArmModel });
})((globalThis.BM = globalThis.BM || {}));
