// The controls of the explorer: fields for priors, studies and bands, which report changes of a plain state.
(function (BM) {
  "use strict";

  let made = 0;
  const id = () => `explorer-${++made}`;

  /** Make an element with properties and children; text is never read as markup. */
  function h(name, properties = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key in element && typeof value !== "string") element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  const NAMES = {
    HalfNormal: "Half-normal", HalfCauchy: "Half-Cauchy", HalfT: "Half-t", Uniform: "Uniform", Exponential: "Exponential",
    LogNormal: "Log-normal", LogT: "Log-t", Gamma: "Gamma", InvGamma: "Inverse gamma", Beta: "Beta", Point: "Fixed value",
    Normal: "Normal", Flat: "Flat", StudentT: "Student t", Cauchy: "Cauchy", Logistic: "Logistic",
  };
  const PARAMETERS = {
    sd: "standard deviation", scale: "scale", df: "degrees of freedom", low: "from", high: "to", rate: "rate", meanlog: "mean of the log",
    sdlog: "standard deviation of the log", loc: "location", shape: "shape", value: "value", mean: "mean", a: "a", b: "b",
  };
  /** The parameter that the slider moves, by family. */
  const MOVED = { HalfT: 1, Uniform: 1, LogT: 1, Gamma: 1, InvGamma: 1, StudentT: 2, Cauchy: 1, Logistic: 1, Normal: 1, Beta: 1 };
  const LINEAR = new Set(["meanlog", "loc"]);

  /** Parameters of a family with about this median, where the reader chooses another family. */
  function argumentsFor(family, median) {
    const x = Number(median.toPrecision(2));
    switch (family) {
      case "HalfNormal": return [Number((median / 0.6745).toPrecision(2))];
      case "HalfT": return [4, Number((median / 0.7407).toPrecision(2))];
      case "Uniform": return [0, Number((2 * median).toPrecision(2))];
      case "Exponential": return [Number((Math.LN2 / median).toPrecision(2))];
      case "LogNormal": return [Number(Math.log(median).toFixed(2)), 1];
      case "LogT": return [5, Number(Math.log(median).toFixed(2)), 1];
      case "Gamma": return [2, Number((1.678 / median).toPrecision(2))];
      case "InvGamma": return [2, Number((1.678 * median).toPrecision(2))];
      case "Beta": return [2, 4];
      default: return [x];
    }
  }

  const written = (x) => String(Number(x.toPrecision(4)));

  /**
   * A fieldset for a prior: family, parameters and a slider for its scale. prior() is the present one, change(prior) receives another.
   * Returns the fieldset, and refresh(), which shows the present prior.
   */
  function priorFields({ legend, symbol, families, prior, change, unit, onTau, square }) {
    const family = h("select", { id: id() }, ...families.map((name) => h("option", { value: name }, NAMES[name])));
    const parameters = h("div", { class: "parameters" });
    const slider = h("input", { type: "range", min: "-100", max: "100", step: "1", id: id() });
    const sliderLabel = h("label", { for: slider.id });
    const squared = square ? h("input", { type: "checkbox", id: id() }) : null;
    const box = h("fieldset", { class: "prior" }, h("legend", {}, legend),
      h("div", { class: "field" }, h("label", { for: family.id }, "Family"), family),
      parameters, h("div", { class: "field slider" }, sliderLabel, slider),
      squared && h("div", { class: "field check" }, squared, h("label", { for: squared.id }, "a prior for τ² instead of τ")));
    let origin = 1;

    const moved = () => MOVED[prior().family] || 0;
    const names = () => (onTau ? BM.FAMILIES : BM.FAMILIES_OF_MU)[prior().family].parameters;
    const set = (index, value, from) => {
      const args = [...prior().args];
      args[index] = value;
      change({ ...prior(), args });
      refresh(from);
    };

    function refresh(from) {
      family.value = prior().family;
      if (squared) squared.checked = Boolean(prior().onVariance);
      const now = prior().args, parts = names();
      if (from !== "number") {
        const known = [...parameters.querySelectorAll("input")];
        if (known.length === parts.length && known.every((one, i) => one.dataset.name === parts[i])) {
          known.forEach((one, i) => (one.value = written(now[i])));
        } else {
          parameters.replaceChildren(...parts.map((name, i) => {
            const input = h("input", { type: "number", step: "any", id: id(), "data-name": name, value: written(now[i]) });
            input.addEventListener("input", () => set(i, input.value === "" ? NaN : Number(input.value), "number"));
            return h("div", { class: "field" }, h("label", { for: input.id }, PARAMETERS[name]), input);
          }));
        }
      }
      const place = moved(), linear = LINEAR.has(parts[place]);
      slider.parentElement.hidden = !parts.length || parts[place] === undefined;
      if (!parts.length) return;
      sliderLabel.textContent = `Move the ${PARAMETERS[parts[place]]}`;
      if (from !== "slider") {
        if (linear) origin = Number.isFinite(now[place]) ? now[place] : 0;
        else origin = now[place] > 0 ? now[place] : unit;
        slider.value = "0";
      }
      slider.setAttribute("aria-valuetext", `${symbol}: ${NAMES[prior().family]}, ${PARAMETERS[parts[place]]} ${written(now[place])}`);
    }

    family.addEventListener("change", () => {
      const name = family.value;
      if (!onTau) {
        const { args } = prior(), sd = args.length ? args[args.length - 1] : 2.82 * unit, mean = args.length > 1 ? args[args.length - 2] : 0;
        change({ ...prior(), family: name, args: { Flat: [], StudentT: [4, mean, sd] }[name] || [mean, sd] });
      } else {
        const median = BM.FAMILIES[prior().family].median(...prior().args);
        change({ ...prior(), family: name, args: argumentsFor(name, median > 0 && Number.isFinite(median) ? median : 0.3 * unit) });
      }
      refresh();
    });
    slider.addEventListener("input", () => {
      const place = moved(), share = Number(slider.value) / 100;
      const value = LINEAR.has(names()[place]) ? origin + 3 * share : origin * 30 ** share;
      set(place, Number(value.toPrecision(3)), "slider");
    });
    if (squared) squared.addEventListener("change", () => change({ ...prior(), onVariance: squared.checked }));
    refresh();
    return { box, refresh };
  }

  /** A group of radio buttons. */
  function choice({ legend, options, value, change }) {
    const name = id();
    const inputs = options.map(([key, text]) => {
      const input = h("input", { type: "radio", name, value: key, id: id() });
      input.checked = key === value;
      input.addEventListener("change", () => change(key));
      return [input, h("div", { class: "field check" }, input, h("label", { for: input.id }, text))];
    });
    return {
      box: h("fieldset", {}, h("legend", {}, legend), ...inputs.map((one) => one[1])),
      set: (key) => inputs.forEach(([input]) => (input.checked = input.value === key)),
    };
  }

  /** A fieldset with a box to tick per study, and buttons for all and for those of the run. */
  function studyFields({ studies, included, usable, change }) {
    const boxes = studies.map((study, i) => {
      const input = h("input", { type: "checkbox", id: id() });
      input.addEventListener("change", () => change(i, input.checked));
      const arms = study.arms.filter(Boolean).join(" vs ");
      const detail = [arms, study.reason && !study.fitted ? `left out by the run: ${study.reason}` : study.reason].filter(Boolean).join("; ");
      const label = h("label", { for: input.id }, h("bdi", {}, study.label), detail ? h("span", { class: "detail" }, ` ${detail}`) : "");
      return [input, h("div", { class: "field check" }, input, label)];
    });
    const button = (text, wanted) => {
      const made = h("button", { type: "button" }, text);
      made.addEventListener("click", () => {
        boxes.forEach(([input], i) => change(i, wanted(i) && usable(i)));
        refresh();
      });
      return made;
    };
    function refresh() {
      boxes.forEach(([input, box], i) => {
        input.disabled = !usable(i);
        input.checked = included(i) && usable(i);
        box.classList.toggle("off", !usable(i));
      });
    }
    refresh();
    const start = studies.map((_, i) => included(i));
    return {
      box: h("fieldset", { class: "studies" }, h("legend", {}, "Studies"), h("div", { class: "list" }, ...boxes.map((one) => one[1])),
        h("div", { class: "buttons" }, button("All studies", () => true), button("Those of the run", (i) => start[i]))),
      refresh,
    };
  }

  /** A fieldset for the side of benefit and up to three thresholds between bands, on the natural scale. */
  function bandFields({ bands, better, log, change }) {
    const side = h("select", { id: id() }, h("option", { value: "lower" }, "lower"), h("option", { value: "higher" }, "higher"));
    side.value = better;
    const inputs = ["trivial", "small", "moderate"].map((name, i) => {
      const input = h("input", { type: "number", step: "any", id: id(), value: bands[i] === undefined ? "" : written(bands[i]) });
      return [input, h("div", { class: "field" }, h("label", { for: input.id }, `${name} up to`), input)];
    });
    const report = () => change(inputs.map(([input]) => (input.value === "" ? null : Number(input.value))), side.value);
    for (const [input] of inputs) input.addEventListener("input", report);
    side.addEventListener("change", report);
    return {
      box: h("fieldset", { class: "bands" }, h("legend", {}, "Bands of effects"),
        h("div", { class: "field" }, h("label", { for: side.id }, "Better is"), side), ...inputs.map((one) => one[1]),
        h("p", { class: "detail" }, log ? "Ratios: 0.8 and 1.25 are the same limit, mirrored for harm." : "Limits are mirrored for harm.")),
      set(next, nextSide) {
        inputs.forEach(([input], i) => (input.value = next[i] === undefined || next[i] === null ? "" : written(next[i])));
        side.value = nextSide;
      },
    };
  }

  /** Thresholds as distances from no effect on the model scale; throws in words where they are none. */
  function bandEdges(given, log) {
    const names = ["trivial", "small", "moderate"], found = [];
    for (let i = 0; i < 3; i++) {
      if (given[i] === null || given[i] === undefined) {
        if (given.slice(i + 1).some((one) => one !== null && one !== undefined)) throw new Error(`Bands: give "${names[i]} up to" first.`);
        break;
      }
      const distance = Math.abs(log ? Math.log(given[i]) : given[i]);
      if (!Number.isFinite(distance) || (log && !(given[i] > 0))) throw new Error(`Bands: "${names[i]} up to" must be a ${log ? "ratio above 0" : "number"}.`);
      if (distance === 0) throw new Error(`Bands: "${names[i]} up to" must differ from no effect.`);
      if (found.length && distance <= found[found.length - 1]) throw new Error(`Bands: "${names[i]} up to" must be further from no effect than the limit before.`);
      found.push(distance);
    }
    return found;
  }

  Object.assign(BM, { h, id, NAMES, priorFields, choice, studyFields, bandFields, bandEdges, argumentsFor });
})((globalThis.BM = globalThis.BM || {}));
