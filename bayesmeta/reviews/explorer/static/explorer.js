// The explorer of one analysis: its state, what is computed from it, and what is shown.
(function (BM) {
  "use strict";

  const { h, row, probability } = BM;
  const TAU_FAMILIES = ["HalfNormal", "HalfCauchy", "HalfT", "Uniform", "Exponential", "LogNormal", "LogT", "Gamma", "InvGamma", "Point"];

  /** The posterior under a state: {likelihood, mu, tau, included}. Keeps the model of the studies while only the prior for tau changes. */
  class Calculator {
    constructor(data) {
      this.data = data;
      this.key = "";
    }

    /** Whether a study can be used under a likelihood. */
    usable(likelihood, i) {
      const study = this.data.studies[i];
      return likelihood === "normal" ? study.y !== null : Boolean(study.table);
    }

    solve({ likelihood, mu, tau, included }) {
      const chosen = this.data.studies.map((_, i) => i).filter((i) => included[i] && this.usable(likelihood, i));
      if (!chosen.length) throw new Error("No study is left: tick at least one.");
      const wrong = BM.fault(mu.family, mu.args, false) || BM.fault(tau.family, tau.args, true);
      if (wrong) throw new Error(wrong);
      const studies = chosen.map((i) => this.data.studies[i]);
      if (likelihood === "normal" && (mu.family === "Normal" || mu.family === "Flat")) {
        return BM.solveNormal({ y: studies.map((one) => one.y), v: studies.map((one) => one.se ** 2) }, { mu, tau });
      }
      const key = JSON.stringify([likelihood, mu, chosen]);
      if (key !== this.key) {
        this.model = new BM.ArmModel(studies.map((study) => {
          if (likelihood === "normal") return { effect: study.y, variance: study.se ** 2 };
          study.smoothed = study.smoothed || new BM.SmoothedStudy(study.table);
          return { smoothed: study.smoothed, guide: study.table.guide, variance: study.table.variance };
        }), mu);
        this.key = key;
      }
      return this.model.solve(tau);
    }
  }

  /** Numbers to show of a posterior, on the model scale. */
  function summary(solution, level) {
    const tails = [0.5, 0.5 - level / 2, 0.5 + level / 2], of = (one) => tails.map((p) => one.quantile(p));
    const tau = of(solution.tau), i2 = tau.map((t) => (100 * t * t) / (t * t + solution.typicalVariance));
    return { mu: of(solution.mu), fresh: of(solution.fresh), tau, i2 };
  }

  /** Probabilities of the bands from the largest benefit to the largest harm. */
  function bandProbabilities(distribution, edges, better) {
    const limits = [...edges.map((edge) => -edge).reverse(), ...edges].map((x) => distribution.cdf(x));
    const below = [0, ...limits, 1], found = below.slice(1).map((p, i) => Math.max(p - below[i], 0));
    return better === "lower" ? found : found.reverse();
  }

  function bandNames(count) {
    const beyond = { 1: ["important"], 2: ["small", "moderate or large"], 3: ["small", "moderate", "large"] }[count];
    return [...[...beyond].reverse().map((name) => `${name} benefit`), "trivial", ...beyond.map((name) => `${name} harm`)];
  }

  class Explorer {
    constructor(root, data) {
      this.root = root;
      this.data = data;
      this.calculator = new Calculator(data);
      this.back = data.log ? Math.exp : (x) => x;
      this.percent = `${Number((100 * data.level).toPrecision(4))}%`;
      this.initial = this.start();
      this.state = structuredClone(this.initial);
      this.build();
      this.update();
    }

    likelihood(name) {
      return this.data.likelihoods.find((one) => one.name === name);
    }

    /** The state of the run's own result. */
    start() {
      const { primary, studies, bands, better } = this.data, { mu, tau } = this.likelihood(primary).priors;
      const included = studies.map((study, i) => (study.fitted === undefined ? !study.reason && this.calculator.usable(primary, i) : study.fitted));
      return { likelihood: primary, mu, tau, included, bands: [...bands], better };
    }

    build() {
      const { data } = this, unit = data.log || data.short === "SMD" ? 1 : Math.max(...data.studies.map((one) => one.se || 0), 1e-9);
      const change = (part) => {
        Object.assign(this.state, part);
        this.later();
      };
      const families = (known, mine) => (known.includes(mine) ? known : [...known, mine]);
      this.tau = BM.priorFields({
        legend: "Prior for τ, the heterogeneity", symbol: "τ", families: families(TAU_FAMILIES, this.state.tau.family), unit, onTau: true,
        square: true, prior: () => this.state.tau, change: (tau) => change({ tau }),
      });
      this.mu = BM.priorFields({
        legend: "Prior for μ, the pooled effect", symbol: "μ", families: families(["Normal", "Flat"], this.state.mu.family), unit, onTau: false,
        square: false, prior: () => this.state.mu, change: (mu) => change({ mu }),
      });
      this.studies = BM.studyFields({
        studies: data.studies, included: (i) => this.state.included[i], usable: (i) => this.calculator.usable(this.state.likelihood, i),
        change: (i, checked) => {
          this.state.included[i] = checked;
          this.later();
        },
      });
      this.bands = BM.bandFields({
        bands: data.bands, better: data.better, log: data.log, change: (bands, better) => change({ bands, better }),
      });
      this.likelihoods = data.likelihoods.length < 2 ? null : BM.choice({
        legend: "Likelihood", options: data.likelihoods.map((one) => [one.name, one.name === "normal" ? "normal approximation" : `${one.label}, exact`]),
        value: this.state.likelihood,
        change: (likelihood) => {
          change({ likelihood });
          this.studies.refresh();
        },
      });
      const presets = h("select", { id: BM.id() }, h("option", { value: "" }, "own choice"), h("option", { value: "run" }, "as in the run"),
        ...data.presets.map((one, i) => h("option", { value: String(i) }, one.name)));
      presets.value = "run";
      presets.addEventListener("change", () => {
        const chosen = presets.value === "run" ? this.likelihood(this.state.likelihood).priors : data.presets[presets.value] || {};
        for (const name of ["mu", "tau"]) if (chosen[name]) this.state[name] = structuredClone(chosen[name]);
        this.tau.refresh();
        this.mu.refresh();
        this.later();
      });
      for (const one of [this.tau, this.mu]) one.box.addEventListener("input", () => (presets.value = ""));
      const reset = h("button", { type: "button", class: "reset" }, "Back to the run's result");
      reset.addEventListener("click", () => {
        this.state = structuredClone(this.initial);
        presets.value = "run";
        for (const one of [this.tau, this.mu, this.studies]) one.refresh();
        this.bands.set(this.state.bands, this.state.better);
        if (this.likelihoods) this.likelihoods.set(this.state.likelihood);
        this.later();
      });
      this.alert = h("p", { class: "wrong", role: "alert", hidden: true });
      this.live = h("p", { class: "live", role: "status", "aria-live": "polite" });
      this.numbers = h("div", { class: "numbers" });
      this.forest = h("div", { class: "drawing" });
      this.densities = h("div", { class: "pair" });
      const controls = h("form", { class: "controls", "aria-label": `Settings of the explorer, analysis ${data.id}` },
        this.likelihoods && this.likelihoods.box,
        h("div", { class: "field" }, h("label", { for: presets.id }, "Priors"), presets),
        this.tau.box, this.mu.box, this.studies.box, this.bands.box, reset);
      controls.addEventListener("submit", (event) => event.preventDefault());
      const results = h("div", { class: "results", role: "group", "aria-label": "Results under these settings" },
        this.alert, this.numbers, this.forest, this.densities, this.leaveOut());
      this.root.replaceChildren(this.live, h("div", { class: "explorer-grid" }, controls, results));
      new ResizeObserver(() => this.resized()).observe(this.forest);
    }

    /** Compute once per frame, however many changes there were. */
    later() {
      if (this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => {
        this.waiting = false;
        this.update();
      });
    }

    resized() {
      const width = this.forest.clientWidth;
      if (this.shown && width && width !== this.width) this.draw();
    }

    update() {
      try {
        const edges = BM.bandEdges(this.state.bands, this.data.log), solution = this.calculator.solve(this.state);
        this.run = this.run || this.calculatorOfRun();
        this.shown = { solution, edges, numbers: summary(solution, this.data.level) };
        this.alert.hidden = true;
        this.root.classList.remove("stale");
      } catch (error) {
        this.alert.textContent = error.message;
        this.alert.hidden = false;
        this.root.classList.add("stale");
        return;
      }
      this.table();
      this.draw();
      this.announce();
      clearTimeout(this.influenceTimer);
      this.influenceTimer = setTimeout(() => this.influence(), 200);
    }

    calculatorOfRun() {
      return new Calculator(this.data).solve(this.initial);
    }

    /** Rows of the table: here, and in the run. */
    table() {
      const { solution, edges, numbers } = this.shown, { data, back } = this, { better } = this.state;
      const run = this.likelihood(this.initial.likelihood).run;
      const written = ([estimate, low, high]) => {
        const [text, a, b] = row([estimate], low, high);
        return `${text} [${a}, ${b}]`;
      };
      const interval = (low, high) => (low === undefined ? "" : `[${row([], low, high).join(", ")}]`);
      const natural = (values) => values.map(back);
      const benefit = (distribution) => (better === "lower" ? distribution.cdf(0) : 1 - distribution.cdf(0));
      const lines = [
        [`Pooled ${data.phrase}`, written(natural(numbers.mu)), written([run.mu.estimate, run.mu.ci_low, run.mu.ci_high])],
        ["Prediction interval", interval(...natural(numbers.fresh.slice(1))), interval(run.mu.pi_low, run.mu.pi_high)],
        ["τ", written(numbers.tau), written([run.tau.estimate, run.tau.ci_low, run.tau.ci_high])],
        ["I²", `${Math.round(numbers.i2[0])}%`, run.mu.i2 === undefined ? "" : `${Math.round(run.mu.i2)}%`],
        ["P(benefit)", probability(benefit(solution.mu)), better === data.better && run.mu.prob_benefit !== undefined ? probability(run.mu.prob_benefit) : ""],
      ];
      const cells = (line) => h("tr", {}, h("th", { scope: "row" }, line[0]), ...line.slice(1).map((text) => h("td", {}, text)));
      const head = (...texts) => h("thead", {}, h("tr", {}, ...texts.map((text) => h("th", { scope: "col" }, text))));
      const used = this.state.included.filter((one, i) => one && this.calculator.usable(this.state.likelihood, i)).length;
      const main = h("table", { class: "result" }, h("caption", {}, `Median and ${this.percent} credible interval; ${used} of ${data.studies.length} studies`),
        head("", "Here", "In the run"), h("tbody", {}, ...lines.map(cells)));
      let bands = null;
      if (edges.length) {
        const pooled = bandProbabilities(solution.mu, edges, better), fresh = bandProbabilities(solution.fresh, edges, better);
        const lines = bandNames(edges.length).map((name, i) => [name, probability(pooled[i]), probability(fresh[i])]);
        bands = h("table", { class: "result bands" }, h("caption", {}, "Probability of each band"),
          head("", "Pooled effect", "In a new study"), h("tbody", {}, ...lines.map(cells)));
      }
      this.numbers.replaceChildren(main, ...(bands ? [bands] : []));
    }

    draw() {
      const { solution, edges, numbers } = this.shown, { data, state } = this, z = BM.ndtri(0.5 + data.level / 2);
      const width = this.forest.clientWidth || 640, [mu, low, high] = numbers.mu, tau2 = numbers.tau[0] ** 2;
      this.width = width;
      const runs = summary(this.run, data.level);
      const studies = data.studies.map((study, i) => ({
        label: study.label, y: study.y === null ? NaN : study.y, se: study.se === null ? NaN : study.se, low: study.y - z * study.se,
        high: study.y + z * study.se, used: state.included[i] && this.calculator.usable(state.likelihood, i), weight: study.se ? 1 / (study.se ** 2 + tau2) : 0,
      }));
      const limits = [...edges.map((edge) => -edge).reverse(), ...edges];
      const forest = BM.forest({
        studies, limits, log: data.log, axis: data.measure + (data.log ? " (log scale)" : ""),
        title: `Forest plot: ${studies.filter((one) => one.used).length} studies; the numbers are in the table above and in the table of studies`,
        pooled: { label: "Here", estimate: mu, low, high, newLow: numbers.fresh[1], newHigh: numbers.fresh[2] },
        run: { label: "In the run", estimate: runs.mu[0], low: runs.mu[1], high: runs.mu[2], newLow: runs.fresh[1], newHigh: runs.fresh[2] },
      }, width);
      this.forest.replaceChildren(forest);
      const wide = width > 560 ? (width - 16) / 2 : width;
      this.densities.replaceChildren(this.densityOfMu(solution, numbers, runs, wide), this.densityOfTau(solution, numbers, runs, wide));
    }

    /** A folded table of the results without each study, under the present settings; computed when it is opened. */
    leaveOut() {
      const body = h("div", { class: "numbers" });
      this.without = h("details", { class: "without" }, h("summary", {}, "Without each study in turn"), body);
      this.without.addEventListener("toggle", () => this.withoutEach(body));
      this.influence = () => this.withoutEach(body);
      return this.without;
    }

    withoutEach(body) {
      if (!this.without.open || !this.shown) return;
      const { data, state, back } = this, used = data.studies.map((_, i) => i).filter((i) => state.included[i] && this.calculator.usable(state.likelihood, i));
      if (used.length < 2) {
        body.replaceChildren(h("p", {}, "This needs at least two studies."));
        return;
      }
      const calculator = new Calculator(data), lines = [];
      for (const left of used) {
        const included = state.included.map((one, i) => one && i !== left);
        try {
          const { mu, tau } = summary(calculator.solve({ ...state, included }), data.level);
          const [text, a, b] = row([back(mu[0])], back(mu[1]), back(mu[2])), [between, c, d] = row([tau[0]], tau[1], tau[2]);
          lines.push([data.studies[left].label, `${text} [${a}, ${b}]`, `${between} [${c}, ${d}]`]);
        } catch (error) {
          lines.push([data.studies[left].label, error.message, ""]);
        }
      }
      const head = h("thead", {}, h("tr", {}, ...["Left out", `Pooled ${data.phrase}`, "τ"].map((text) => h("th", { scope: "col" }, text))));
      const rows = lines.map(([label, ...texts]) => h("tr", {}, h("th", { scope: "row" }, h("bdi", {}, label)), ...texts.map((text) => h("td", {}, text))));
      body.replaceChildren(h("table", { class: "result" }, h("caption", {}, `Median and ${this.percent} credible interval`), head, h("tbody", {}, ...rows)));
    }

    densityOfMu(solution, numbers, runs, width) {
      const { data, state } = this, reach = 0.6 * Math.max(numbers.mu[2] - numbers.mu[1], runs.mu[2] - runs.mu[1]);
      const low = Math.min(numbers.mu[1], runs.mu[1]) - reach, high = Math.max(numbers.mu[2], runs.mu[2]) + reach;
      const x = Array.from({ length: 121 }, (_, i) => low + ((high - low) * i) / 120);
      const prior = BM.FAMILIES_OF_MU[state.mu.family].logpdf, curves = [{ css: "run", x, y: x.map((one) => this.run.mu.pdf(one)) }];
      if (state.mu.family !== "Flat") curves.push({ css: "prior", x, y: x.map((one) => Math.exp(prior(one, ...state.mu.args))) });
      curves.push({ css: "posterior", x, y: x.map((one) => solution.mu.pdf(one)) });
      return this.captioned(BM.densities({
        curves, low, high, log: data.log, axis: data.measure, title: "Prior and posterior density of the pooled effect",
      }, width), "Pooled effect");
    }

    densityOfTau(solution, numbers, runs, width) {
      const high = 1.3 * Math.max(numbers.tau[2], runs.tau[2], 1e-9), prior = BM.tauPrior(this.state.tau);
      const x = Array.from({ length: 121 }, (_, i) => (high * (i + 1e-6)) / 120);
      const curves = [
        { css: "run", x, y: x.map((one) => this.run.tau.pdf(one)) },
        { css: "prior", x, y: prior.fixed === null ? x.map((one) => (one < prior.low || one > prior.high ? 0 : Math.exp(prior.logpdf(one)))) : x.map(() => 0) },
        { css: "posterior", x, y: x.map((one) => solution.tau.pdf(one)) },
      ];
      return this.captioned(BM.densities({ curves, low: 0, high, log: false, axis: "τ", title: "Prior and posterior density of tau" }, width), "Heterogeneity");
    }

    captioned(drawing, text) {
      const key = (css, name) => h("span", { class: `key ${css}` }, name);
      return h("figure", { style: `width:${drawing.getAttribute("width")}px` }, drawing, h("figcaption", {}, `${text}: `, key("posterior", "posterior"), " ", key("prior", "prior"), " ", key("run", "posterior of the run")));
    }

    /** Tell readers of the screen the result, after the last of several changes. */
    announce() {
      clearTimeout(this.timer);
      const { numbers } = this.shown, { data, back } = this;
      const [mu, low, high] = numbers.mu.map(back), [text, a, b] = row([mu], low, high);
      const [c, d] = row([], back(numbers.fresh[1]), back(numbers.fresh[2]));
      const message = `Pooled ${data.phrase} ${text}, ${this.percent} credible interval ${a} to ${b}; prediction interval ${c} to ${d}.`;
      this.timer = setTimeout(() => {
        if (this.live.textContent !== message) this.live.textContent = message;
      }, this.live.textContent ? 500 : 0);
    }
  }

  /** Build the explorer of each analysis when its part of the page is opened first. */
  function start() {
    for (const part of document.querySelectorAll("details.explore")) {
      const open = () => {
        if (!part.open || part.dataset.built) return;
        part.dataset.built = "yes";
        const data = JSON.parse(part.querySelector("script[type='application/json']").textContent);
        part.explorer = new Explorer(part.querySelector(".explorer"), data);
      };
      part.addEventListener("toggle", open);
      open();
    }
  }

  Object.assign(BM, { Calculator, Explorer, summary, bandProbabilities, start });
  if (typeof document !== "undefined") start();
})((globalThis.BM = globalThis.BM || {}));
