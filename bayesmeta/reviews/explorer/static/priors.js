// The families of priors (as bayesmeta/model/priors/families.py): log densities, and rough quantiles from which integrals start.
(function (BM) {
  "use strict";

  const { LOG_2PI, gammaln } = BM;
  const normal = (x, mean, sd) => -0.5 * LOG_2PI - Math.log(sd) - 0.5 * ((x - mean) / sd) ** 2;
  const student = (x, df, loc, scale) => {
    const z = (x - loc) / scale;
    return gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * Math.log(df * Math.PI) - Math.log(scale)
      - ((df + 1) / 2) * Math.log1p((z * z) / df);
  };
  // a quartile of the t distribution, roughly: tan(pi / 4) for one degree of freedom, 0.6745 for many
  const quartile = (df) => 0.6745 + 0.3255 / df ** 1.2;
  const half = (logpdf) => (x, ...args) => (x < 0 ? -Infinity : Math.LN2 + logpdf(x, ...args));
  const ofLog = (logpdf) => (x, ...args) => (x <= 0 ? -Infinity : logpdf(Math.log(x), ...args) - Math.log(x));

  /**
   * parameters: names; positive: which must be above 0; median, spread (of log tau, between quartiles): rough; tail: exponent of a power-law
   * tail; onLogScale: integrals run over log tau; power: exponent of the density of log x towards x = 0.
   */
  const FAMILIES = {
    HalfNormal: { parameters: ["sd"], logpdf: half((x, s) => normal(x, 0, s)), median: (s) => 0.6745 * s },
    HalfCauchy: { parameters: ["scale"], logpdf: half((x, s) => student(x, 1, 0, s)), median: (s) => s, tail: () => 2 },
    HalfT: {
      parameters: ["df", "scale"], logpdf: half((x, df, s) => student(x, df, 0, s)), median: (df, s) => quartile(df) * s,
      tail: (df) => df + 1,
    },
    Uniform: {
      parameters: ["low", "high"], logpdf: (x, a, b) => (x >= a && x <= b ? -Math.log(b - a) : -Infinity), median: (a, b) => (a + b) / 2,
      support: (a, b) => [a, b],
    },
    Exponential: {
      parameters: ["rate"], logpdf: (x, r) => (x < 0 ? -Infinity : Math.log(r) - r * x), median: (r) => Math.LN2 / r,
    },
    LogNormal: {
      parameters: ["meanlog", "sdlog"], logpdf: ofLog(normal), median: (m) => Math.exp(m), spread: (m, s) => 1.349 * s, onLogScale: true,
    },
    LogT: {
      parameters: ["df", "loc", "scale"], logpdf: ofLog(student), median: (df, m) => Math.exp(m),
      spread: (df, m, s) => 2 * quartile(df) * s, tail: () => 1, onLogScale: true,
    },
    Gamma: {
      parameters: ["shape", "rate"],
      logpdf: (x, a, r) => (x <= 0 ? -Infinity : a * Math.log(r) - gammaln(a) + (a - 1) * Math.log(x) - r * x),
      // near 0 the distribution function is x^a / Gamma(a + 1)
      median: (a, r) => (a < 1 ? Math.exp((gammaln(a + 1) - Math.LN2) / a) : a - 1 / 3) / r, spread: (a) => 1.349 * (1 / a + 1 / Math.sqrt(a)) * 0.8,
      onLogScale: true, power: (a) => a,
    },
    InvGamma: {
      parameters: ["shape", "scale"],
      logpdf: (x, a, b) => (x <= 0 ? -Infinity : a * Math.log(b) - gammaln(a) - (a + 1) * Math.log(x) - b / x),
      median: (a, b) => b / (a < 1 ? Math.exp((gammaln(a + 1) - Math.LN2) / a) : a - 1 / 3), spread: (a) => 1.349 * (1 / a + 1 / Math.sqrt(a)) * 0.8,
      tail: (a) => a + 1, onLogScale: true,
    },
    Beta: {
      parameters: ["a", "b"],
      logpdf: (x, a, b) => (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x) + gammaln(a + b) - gammaln(a) - gammaln(b),
      median: (a, b) => a / (a + b), support: () => [0, 1],
    },
    Point: { parameters: ["value"], logpdf: () => 0, median: (v) => v },
  };
  const FAMILIES_OF_MU = {
    Normal: { parameters: ["mean", "sd"], logpdf: normal },
    StudentT: { parameters: ["df", "loc", "scale"], logpdf: student },
    Cauchy: { parameters: ["loc", "scale"], logpdf: (x, m, s) => student(x, 1, m, s) },
    Logistic: {
      parameters: ["loc", "scale"],
      logpdf: (x, m, s) => -Math.abs((x - m) / s) - 2 * Math.log1p(Math.exp(-Math.abs((x - m) / s))) - Math.log(s),
    },
    Flat: { parameters: [], logpdf: () => 0 },
  };
  const POSITIVE = new Set(["sd", "scale", "df", "sdlog", "rate", "shape", "a", "b"]);

  /** Return what is wrong with the parameters of a prior in words, or "". */
  function fault(family, args, onTau) {
    const { parameters } = (onTau ? FAMILIES : FAMILIES_OF_MU)[family];
    for (let i = 0; i < parameters.length; i++) {
      if (!Number.isFinite(args[i])) return `${family}: ${parameters[i]} must be a number.`;
      if (POSITIVE.has(parameters[i]) && !(args[i] > 0)) return `${family}: ${parameters[i]} must be above 0.`;
    }
    if (family === "Uniform" && !(args[1] > args[0])) return "Uniform: high must be above low.";
    if (onTau && (family === "Uniform" || family === "Point") && args[0] < 0) return `${family}: tau cannot be below 0.`;
    return "";
  }

  /** The prior of tau from {family, args, onVariance}: what integrals over tau need. */
  function tauPrior({ family, args, onVariance = false }) {
    const made = FAMILIES[family];
    const root = (x) => (onVariance ? Math.sqrt(x) : x);
    const [low, high] = (made.support ? made.support(...args) : [0, Infinity]).map(root);
    const power = made.power && made.power(...args);
    return {
      low, high, onLogScale: Boolean(made.onLogScale),
      fixed: family === "Point" ? root(args[0]) : null,
      logpdf: onVariance
        ? (tau) => made.logpdf(tau * tau, ...args) + Math.log(2 * tau)
        : (tau) => made.logpdf(tau, ...args),
      median: root(made.median(...args)),
      spread: made.spread ? made.spread(...args) * (onVariance ? 0.5 : 1) : 0,
      tail: made.tail ? (onVariance ? 2 * made.tail(...args) - 1 : made.tail(...args)) : Infinity,
      power: power === undefined ? undefined : onVariance ? 2 * power : power,
    };
  }

  /** Number of finite moments of tau, 2 at most, after k estimates (flat: 1 under a flat prior for mu). */
  function finiteMoments(prior, k, flat) {
    const exponent = prior.tail + k - flat;
    return Number.isFinite(exponent) ? Math.max(0, Math.min(2, Math.ceil(exponent - 1) - 1)) : 2;
  }

  /** The map of (0, 1) to the support of tau, with a typical tau near 1/2. */
  function tauMap(prior, size) {
    if (Number.isFinite(prior.high)) return BM.interval(prior.low, prior.high - prior.low);
    if (!prior.onLogScale) return BM.halfLine(prior.low, size);
    const near = Math.log(size), middle = Math.log(prior.median);
    if (prior.spread > 40 || !(Math.abs(middle) < 300)) return BM.logLine(near, 10, prior.power);
    return BM.logLine(Math.min(Math.max(middle, near - 20), near + 20), Math.min(Math.max(prior.spread, 0.1), 40), prior.power);
  }

  Object.assign(BM, { FAMILIES, FAMILIES_OF_MU, fault, tauPrior, finiteMoments, tauMap });
})((globalThis.BM = globalThis.BM || {}));
