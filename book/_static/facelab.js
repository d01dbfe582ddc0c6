// Light or dark as the system is, until the reader chooses. The page itself says light, for who sees it without scripts.
{
  const page = document.documentElement.dataset;
  page.mode = localStorage.getItem("mode") ?? "auto";
  if (page.mode === "auto") page.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// What this script writes into a page, in the page's language.
const RUSSIAN = {
  Figure: "Рисунок", Smaller: "Меньше", Larger: "Больше", Close: "Закрыть",
  "The whole book on paper": "Вся книга на бумаге, по-английски", pages: "страниц", MB: "МБ",
  "Toggle primary sidebar": "Оглавление книги", "Toggle secondary sidebar": "Оглавление страницы", "Toggle hidden content": "Показать или скрыть",
  Main: "Книга", Page: "Страница",
};
const said = (words) => (document.documentElement.lang === "ru" && RUSSIAN[words]) || words;

document.addEventListener("DOMContentLoaded", () => { // labels that the theme's templates and scripts have in English only
  for (const name of ["title", "aria-label", "data-bs-title"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) node.setAttribute(name, said(node.getAttribute(name)));
  }
});

// A column of words stands at the left; numbers stand right, under one another. Columns count from the right: names of rows may span several.
const NUMBER = /^[-−+±<>≤≥~\s]*\d/;

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".cell_output table.dataframe")) {
    const column = (k) => [...table.rows].map((row) => row.cells[row.cells.length - k]).filter(Boolean);
    for (let k = 1; k <= Math.max(...[...table.rows].map((row) => row.cells.length)); k++) {
      const values = column(k).filter((cell) => cell.matches("td")), filled = values.filter((cell) => cell.textContent.trim());
      if (values.length && !filled.length || filled.some((cell) => NUMBER.test(cell.textContent))) continue;
      for (const cell of column(k)) cell.classList.add("words");
    }
  }
});

// On a phone the words of a table stay whole where there is room for them, if need be in smaller letters.
function fitTables() {
  for (const table of document.querySelectorAll(".cell_output table.dataframe")) {
    const box = table.closest(".output");
    for (const looks of [["whole"], ["whole", "small"], ["small"], []]) {
      table.classList.remove("whole", "small");
      table.classList.add(...looks);
      if (table.scrollWidth <= box.clientWidth) break;
    }
  }
}

window.addEventListener("resize", fitTables);
window.addEventListener("load", fitTables);
document.addEventListener("toggle", fitTables, true); // a folded part has no width before it opens

// A box that scrolls must be reachable with the keyboard (WCAG 2.1.1). Widths are known only when formulas stand.
const BOXES = "mjx-container[display='true'], .cell_output .output, .pst-scrollable-table-container, pre";

function focusScrollableBoxes() {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
  }
}

window.addEventListener("resize", focusScrollableBoxes);
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  focusScrollableBoxes();
  document.documentElement.dataset.settled = "yes";
});

// A command that wraps does so between its words, not behind the hyphens of "--out"; a word longer than a phone may.
document.addEventListener("DOMContentLoaded", () => {
  for (const command of document.querySelectorAll(".highlight-bash pre")) {
    const walker = document.createTreeWalker(command, NodeFilter.SHOW_TEXT), texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      text.replaceWith(...text.data.split(/(\S*-\S*)/).map((word, i) => {
        if (i % 2 === 0 || word.length > 30) return word;
        return Object.assign(document.createElement("span"), { className: "word", textContent: word });
      }));
    }
  }
});

// On the page of figures the mark of a heading is the link that opens it.
document.addEventListener("DOMContentLoaded", () => {
  for (const link of document.querySelectorAll("section:has(> .tag_figure) > h3 > a.headerlink")) {
    const name = link.parentElement.firstChild;
    link.setAttribute("aria-label", `Open ${name.textContent}`);
    name.replaceWith(...name.textContent.split(/(?<=_)/).flatMap((word) => [document.createElement("wbr"), word]));
  }
});

// Search fetches each page that it finds to show an excerpt. A browser allows no fetch from a page that was opened from disk.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// A figure opens large at a tap: there it scrolls, and grows and shrinks. Without this script its link shows the file.
function openLarge(link) {
  const small = link.querySelector("img");
  const button = (name, sign, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: sign, onclick: act });
    made.setAttribute("aria-label", said(name));
    return made;
  };
  const dialog = Object.assign(document.createElement("dialog"), { className: "large" });
  const [bar, box] = [document.createElement("div"), document.createElement("div")];
  const picture = Object.assign(document.createElement("img"), { src: link.href, alt: small.alt });
  dialog.setAttribute("aria-label", said("Figure"));
  box.tabIndex = 0;  // arrow keys scroll it
  const shown = (width) => { picture.style.width = `${Math.round(Math.min(Math.max(width, 200), 6000))}px`; };
  const zoom = (factor) => shown(picture.getBoundingClientRect().width * factor);
  bar.append(
    button("Smaller", "−", () => zoom(1 / 1.4)), button("Larger", "+", () => zoom(1.4)),
    button("Close", "×", () => dialog.close()),
  );
  box.append(picture);
  dialog.append(bar, box);
  dialog.onkeydown = (event) => {
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.4 : 1 / 1.4);
  };
  dialog.onclose = () => { dialog.remove(); link.focus(); };
  document.body.append(dialog);
  dialog.showModal();
  const fit = () => {  // whole, but on a phone larger than it: letters can be read
    const whole = box.clientHeight * (picture.naturalWidth / picture.naturalHeight) || Infinity;
    shown(Math.max(Math.min(box.clientWidth, whole) - 16, 700));
  };
  picture.complete ? fit() : picture.onload = fit;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.enlarge");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openLarge(link);
});

// An excerpt shows a formula in letters and signs, not in the TeX of the page's source.
const SIGNS = {
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ε", varepsilon: "ε", eta: "η", theta: "θ", kappa: "κ", lambda: "λ", mu: "μ", nu: "ν",
  pi: "π", rho: "ρ", sigma: "σ", tau: "τ", phi: "φ", varphi: "φ", chi: "χ", psi: "ψ", omega: "ω", Delta: "Δ", Theta: "Θ", Sigma: "Σ", Phi: "Φ",
  cdot: "·", times: "×", pm: "±", le: "≤", leq: "≤", ge: "≥", geq: "≥", ne: "≠", neq: "≠", approx: "≈", in: "∈", sum: "∑", sqrt: "√", to: "→",
  rightarrow: "→", infty: "∞", partial: "∂", nabla: "∇", lVert: "‖", rVert: "‖", Vert: "‖", dots: "…", ldots: "…", quad: " ", qquad: " ",
};
const NAMES = ["cos", "sin", "tan", "arccos", "log", "ln", "exp", "max", "min", "arg"];

function plainFormula(tex) {
  return tex
    .replace(/\\(begin|end)\{[^}]*\}|\\\\|\\[()[\]]|\\[,;!: ]|[$&]/g, " ")
    .replace(/\\[a-z]?frac\{([^{}]*)\}\{([^{}]*)\}/g, "$1/$2")
    .replace(/\\([A-Za-z]+)/g, (_, name) => SIGNS[name] ?? (NAMES.includes(name) ? `${name} ` : ""))
    .replace(/[{}\\]/g, "")
    .replace(/\s+/g, " ");
}

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const toText = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const formula of page.querySelectorAll(".math")) formula.textContent = plainFormula(formula.textContent);
    return toText(page.documentElement.outerHTML, anchor);
  };
});

document.addEventListener("DOMContentLoaded", () => {
  if (!window.facelabPdf) return; // pdf.js
  const link = document.createElement("a");
  link.href = `${document.documentElement.dataset.content_root}facelab.pdf`;
  link.textContent = `${said("The whole book on paper")} (PDF, ${facelabPdf.pages} ${said("pages")}, ${facelabPdf.megabytes} ${said("MB")})`;
  document.querySelector(".bd-footer-content, .bd-content")?.append(link);
});
