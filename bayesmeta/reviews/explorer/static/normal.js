// Posterior under the normal likelihood: given tau, mu is normal in closed form; tau is integrated on adaptive panels
// (as bayesmeta/engines/normal).
(function (BM) {
  "use strict";

  const { LOG_2PI, SQRT_2PI, ndtr } = BM;

  /** A finite mixture of normal distributions. */
  class Mixture {
    constructor(weights, means, sds) {
      Object.assign(this, { weights, means, sds });
    }

    cdf(x) {
      let sum = 0;
      for (let j = 0; j < this.weights.length; j++) sum += this.weights[j] * ndtr((x - this.means[j]) / this.sds[j]);
      return sum;
    }

    pdf(x) {
      let sum = 0;
      for (let j = 0; j < this.weights.length; j++) {
        const z = (x - this.means[j]) / this.sds[j];
        sum += (this.weights[j] * Math.exp(-0.5 * z * z)) / this.sds[j];
      }
      return sum / SQRT_2PI;
    }

    quantile(p) {
      const z = BM.ndtri(p), reach = Math.abs(z) + 1e-3;
      let low = Infinity, high = -Infinity, centre = 0, spread = 0;
      for (let j = 0; j < this.weights.length; j++) {
        low = Math.min(low, this.means[j] - reach * this.sds[j]);
        high = Math.max(high, this.means[j] + reach * this.sds[j]);
        centre += this.weights[j] * this.means[j];
        spread += this.weights[j] * Math.log(this.sds[j]);
      }
      return BM.solveIncreasing((x) => this.cdf(x), (x) => this.pdf(x), p, low, high, centre + z * Math.exp(spread), 1e-12);
    }
  }

  /** The distribution of tau where it is fixed. */
  class Fixed {
    constructor(value) {
      this.value = value;
    }

    cdf(x) {
      return x >= this.value ? 1 : 0;
    }

    pdf() {
      return 0;
    }

    quantile() {
      return this.value;
    }
  }

  /** Typical sampling variance of Higgins and Thompson (2002), for I2. */
  function typicalVariance(variances) {
    let sum = 0, squares = 0;
    for (const v of variances) {
      sum += 1 / v;
      squares += 1 / (v * v);
    }
    const ordered = [...variances].sort((a, b) => a - b), k = variances.length;
    const bottom = sum * sum - squares;
    return k > 1 && bottom > 0 ? ((k - 1) * sum) / bottom : ordered[(k - 1) >> 1];
  }

  /** A typical tau, within some orders of magnitude of its posterior. */
  function typicalTau(y, v, prior) {
    const k = y.length, ordered = [...v].sort((a, b) => a - b);
    const middle = k % 2 ? ordered[(k - 1) / 2] : 0.5 * (ordered[k / 2 - 1] + ordered[k / 2]);
    const mean = y.reduce((a, b) => a + b, 0) / k;
    const spread = Math.sqrt(middle) + Math.sqrt(y.reduce((sum, one) => sum + (one - mean) ** 2, 0) / k);
    return Math.sqrt(spread * Math.min(Math.max(prior.median, 1e-12 * spread), 1e3 * spread));
  }

  /** Mean and variance of mu given tau. */
  function conditional(tau, y, v, mu) {
    let precision = 0, weighted = 0;
    if (mu.family === "Normal") {
      precision = mu.args[1] ** -2;
      weighted = mu.args[0] * precision;
    }
    for (let i = 0; i < y.length; i++) {
      const weight = 1 / (v[i] + tau * tau);
      precision += weight;
      weighted += weight * y[i];
    }
    return [weighted / precision, 1 / precision];
  }

  /** Natural log of the likelihood of tau, mu integrated out. */
  function logLikelihood(tau, y, v, mu) {
    const [mean, variance] = conditional(tau, y, v, mu);
    let value = 0;
    for (let i = 0; i < y.length; i++) {
      const total = v[i] + tau * tau;
      value -= 0.5 * (LOG_2PI + Math.log(total) + (y[i] - mean) ** 2 / total);
    }
    if (mu.family === "Normal") {
      const [centre, sd] = mu.args;
      return value + 0.5 * Math.log(variance / (sd * sd)) - 0.5 * ((mean - centre) / sd) ** 2;
    }
    return value + 0.5 * (LOG_2PI + Math.log(variance));
  }

  /**
   * Posterior of a meta-analysis with normal likelihood.
   *
   * y, v: effects and variances, model scale. priors: {mu: {family, args}, tau: {family, args, onVariance}}, mu Normal or Flat.
   * Returns the distributions mu, tau, fresh (the effect in a new study) and theta(i), each with cdf, pdf and quantile.
   */
  function solveNormal({ y, v }, priors) {
    if (!y.length) throw new Error("No study is left: tick at least one.");
    const prior = BM.tauPrior(priors.tau), flat = priors.mu.family === "Flat" ? 1 : 0;
    let tau, weights, scale, logTotal;
    if (prior.fixed !== null) {
      tau = [prior.fixed];
      weights = [1];
      scale = new Fixed(prior.fixed);
      logTotal = logLikelihood(prior.fixed, y, v, priors.mu);
    } else {
      const size = typicalTau(y, v, prior), moments = BM.finiteMoments(prior, y.length, flat);
      const logDensity = (t) => prior.logpdf(t) + logLikelihood(t, y, v, priors.mu);
      scale = BM.integrate(logDensity, BM.tauMap(prior, size), { factor: moments ? (t) => (t / size) ** moments : null });
      logTotal = scale.logTotal;
      let sum = 0, widest = 0;
      for (const one of v) {
        sum += 1 / one;
        widest = Math.max(widest, one);
      }
      const nodes = scale.resolving(1 / Math.sqrt(sum), Math.sqrt(widest));
      const kept = nodes.tau.map((t, j) => nodes.weights[j] * (1 + (t / size) ** moments) > 1e-15);
      tau = nodes.tau.filter((_, j) => kept[j]);
      weights = nodes.weights.filter((_, j) => kept[j]);
      const whole = weights.reduce((a, b) => a + b, 0);
      weights = weights.map((one) => one / whole);
    }
    const given = tau.map((t) => conditional(t, y, v, priors.mu));
    const mean = given.map((one) => one[0]), variance = given.map((one) => one[1]);
    return {
      logTotal, tau: scale, typicalVariance: typicalVariance(v),
      mu: new Mixture(weights, mean, variance.map(Math.sqrt)),
      fresh: new Mixture(weights, mean, variance.map((one, j) => Math.sqrt(one + tau[j] ** 2))),
      theta(i) {
        const share = tau.map((t) => (t * t) / (t * t + v[i]));
        return new Mixture(weights, mean.map((m, j) => m + share[j] * (y[i] - m)),
          variance.map((one, j) => Math.sqrt((1 - share[j]) ** 2 * one + share[j] * v[i])));
      },
    };
  }

  Object.assign(BM, { Mixture, Fixed, typicalVariance, typicalTau, solveNormal });
})((globalThis.BM = globalThis.BM || {}));
