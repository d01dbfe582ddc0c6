// Interactive figures. <div class="alive" data-figure="NAME"> gets the figure that NAME.js draws from NAME.data.js:
//   alive.figures.NAME = (element, data, options) => {...}     alive.data.NAME = {...}
// Both are classic scripts, as a browser loads neither modules nor JSON into a page that was opened from disk. They are
// loaded when the element comes near the window. Where anything fails, the static figure above it stands alone.
// On a page in another language NAME.LANGUAGE.js gives a figure its words: alive.speak("ru", {"Threshold": "Порог"}).
"use strict";

var alive = (() => {
  const home = document.currentScript?.src ?? ""; // none where the script stands inside the page, as in a report
  const figures = {}, data = {}, loaded = {}, words = {};
  const minus = "−"; // as typesetters write it
  let named = 0, locale = "en";

  const at = (file) => new URL(file, home).href; // of a file beside this one

  function load(file) {
    loaded[file] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = at(file);
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${file} cannot be loaded`));
      document.head.append(script);
    });
    return loaded[file];
  }

  function speak(language, said) {
    locale = language;
    Object.assign(words, said);
  }
  const say = (english, values = {}) => (words[english] ?? english).replace(/\{(\w+)\}/g, (_, name) => values[name]);

  async function show(element) {
    const name = element.dataset.figure, before = [...element.childNodes], language = document.documentElement.lang || "en";
    try {
      const spoken = language === "en" ? "en" : await load(`${name}.${language}.js`).then(() => language, () => "en");
      if (!data[name]) await load(`${name}.data.js`);
      if (!figures[name]) await load(`${name}.js`);
      element.replaceChildren();
      await figures[name](element, data[name], element.dataset);
      element.dataset.state = "ready";
      element.lang = spoken;
    } catch (error) {
      element.replaceChildren(...before);
      element.dataset.state = "failed";
      element.hidden = true;
      console.warn(`interactive figure ${name}: ${error.message}`);
    }
  }

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      show(target);
    }
  }, { rootMargin: "600px" });

  const watch = (element) => near.observe(element);

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".alive[data-figure]").forEach(watch));

  // Elements with attributes and children, which may be texts.
  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  // A slider below its label and what its value means; changed(value) is called at once, too.
  function slider({ label, min, max, step = 1, value, show = String }, changed) {
    const id = `alive-${++named}`, shown = html("output", { for: id });
    const input = html("input", { type: "range", id, min, max, step, value });
    function tell() {
      shown.textContent = show(input.valueAsNumber);
      input.setAttribute("aria-valuetext", shown.textContent);
    }
    input.addEventListener("input", () => { tell(); changed(input.valueAsNumber); });
    tell();
    return {
      element: html("div", { class: "alive-slider" }, html("label", { for: id }, label), shown, input),
      input,
      set(number) { input.value = number; tell(); },
    };
  }

  // One of some options, {value: text}: a menu.
  function choice({ label, options, value }, changed) {
    const id = `alive-${++named}`, input = html("select", { id });
    for (const [key, text] of Object.entries(options)) input.append(html("option", { value: key }, text));
    input.value = value ?? Object.keys(options)[0];
    input.addEventListener("change", () => changed(input.value));
    return { element: html("div", { class: "alive-choice" }, html("label", { for: id }, label), input), input };
  }

  // Numbers with their names, {key: name}: numbers(...) -> {element, set({key: text or [text, note]})}.
  function numbers(names) {
    const shown = {}, rows = Object.entries(names).map(([key, name]) => {
      shown[key] = [html("span", { "data-number": key }), html("small")];
      return html("div", {}, html("dt", {}, name), html("dd", {}, ...shown[key]));
    });
    return {
      element: html("dl", { class: "alive-numbers" }, ...rows),
      set(texts) {
        for (const [key, said] of Object.entries(texts)) [said].flat().forEach((text, i) => { shown[key][i].textContent = text; });
      },
    };
  }

  // What a screen reader is told, when the hand rests.
  function voice() {
    const element = html("p", { class: "alive-voice", "aria-live": "polite" });
    let waiting;
    return {
      element,
      say(text) { clearTimeout(waiting); waiting = setTimeout(() => { element.textContent = text; }, 500); },
    };
  }

  function number(value, digits = 2) {
    const text = value.toFixed(digits), point = (0.5).toLocaleString(locale)[1];
    return text.replace("-", Number(text) === 0 ? "" : minus).replace(".", point);
  }
  const short = (value) => value.toLocaleString(locale, { maximumSignificantDigits: 3 }).replace("-", minus); // three digits that count
  const many = (value) => value.toLocaleString(locale);
  const percent = (share) => `${short(100 * share)} %`;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  return { figures, data, watch, at, load, speak, say, html, svg, slider, choice, numbers, voice, number, short, many, percent, still };
})();
