// Shows the course in JupyterLab as its pages show it: citations as names and years, figures with caption and
// alternative text, the progress of a cell, the glossary, links into a page, and the start page where nothing else is open. jupyterlab-myst
// shows exercises, folded solutions and boxes; overrides.json beside this file lets pages open rendered.
// Written as JupyterLab loads it (a module-federation container), so that nothing has to be built. It changes what is
// seen, never what is stored; without it a notebook works all the same.

(() => {
  const START = "book/index.md";
  const BIBLIOGRAPHY = "book/references.bib";
  const ACCENTS = { '"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", c: "\u0327", v: "\u030c" };
  const STYLE = `
    .facelab-caption { margin: 4px 0 12px calc(var(--jp-cell-prompt-width) + 5px); max-width: 60em; }
    .facelab-caption * { font-size: var(--jp-content-font-size1); }
    .facelab-progress { margin: 2px 0 6px calc(var(--jp-cell-prompt-width) + 5px); display: flex; gap: 1em; }
    .facelab-progress span { font-variant-numeric: tabular-nums; }
    .facelab-cited, .facelab-cited a { color: var(--jp-content-link-color, #1976d2) !important; }
    .facelab-cited svg { display: none; }
    [data-jp-theme-light="true"] .only-dark, [data-jp-theme-light="false"] .only-light, .phone-only { display: none; }
    .facelab-term { white-space: pre-line; }
    .facelab-term span { white-space: normal; }
    .facelab-term::first-line { font-weight: bold; }
    .facelab-made > * { display: none !important; }
    .facelab-made::after { content: "This part is made when the book is built; README.md says how."; }`;

  /** BibTeX's braces and accents as plain text. */
  function plain(text) {
    return text
      .replace(/\\(["'`^~cv])\{?\\?([A-Za-z])\}?/g, (_, accent, letter) => (letter + ACCENTS[accent]).normalize())
      .replace(/\\l\b/g, "ł")
      .replace(/[{}]/g, "");
  }

  /** Return the works of a BibTeX file by key: their authors as a citation shows them, year, title, address. */
  function works(bibtex) {
    const found = new Map();
    for (const [, key, body] of bibtex.matchAll(/^@\w+\{([^,\s]+),\n([^]*?)^\}/gm)) {
      const field = name => body.match(new RegExp(`^\\s*${name} = \\{(.*)\\},?$`, "m"))?.[1] ?? "";
      const everyone = field("author").split(" and ").map(author => plain(author));
      const names = everyone.map(author => author.split(",")[0]);
      const authors = names.length > 2 ? `${names[0]} et al.` : names.join(" and ");
      const number = field("doi") ? `https://doi.org/${field("doi")}` : `https://arxiv.org/abs/${field("eprint")}`;
      const url = field("doi") || field("eprint") ? number : field("url");
      found.set(key, { authors, everyone: everyone.join(), year: field("year"), title: plain(field("title")), url });
    }
    const alike = Map.groupBy(found.values(), work => work.authors + work.year);
    for (const group of [...alike.values()].filter(group => group.length > 1)) {
      // Letters as book/_ext/citation_letters.py gives them.
      const order = work => `${work.everyone}\0${work.title}`;
      group.sort((a, b) => (order(a) < order(b) ? -1 : 1));
      group.forEach((work, number) => (work.year += "abcdefghijklmnopqrstuvwxyz"[number]));
    }
    return found;
  }

  /** Put authors and year, as a link to the work, in the place of the key that jupyterlab-myst shows. */
  function cite(found) {
    for (const place of document.querySelectorAll(".cite-group span:has(> svg)")) {
      const key = [...place.childNodes].find(node => node.nodeType === Node.TEXT_NODE && found.has(node.nodeValue));
      if (!key) continue;
      const work = found.get(key.nodeValue);
      const narrative = !place.closest(".parenthetical");
      place.querySelector("a")?.remove();
      const link = document.createElement("a");
      Object.assign(link, { href: work.url, target: "_blank", rel: "noopener", title: work.title });
      link.textContent = narrative ? `${work.authors} (${work.year})` : `${work.authors}, ${work.year}`;
      place.className = "facelab-cited";
      place.removeAttribute("title");
      place.append(link);
      key.nodeValue = ""; // the node stays, as its renderer knows it
    }
  }

  /** Mark the terms of the glossary, which links lead to, and what only the build of the book can show. */
  function mark(root) {
    for (const entry of root.querySelectorAll(".jp-MarkdownViewer p:not(.facelab-term)")) {
      const [english, russian] = entry.firstChild?.nodeValue?.split("\n") ?? [];
      if (!/[а-яё]/i.test(russian) || /[а-яё]/i.test(english)) continue;
      entry.id = `term-${english.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}`;
      entry.classList.add("facelab-term");
    }
    for (const title of root.querySelectorAll("details:not(.facelab-made) > summary .myst-exercise-title"))
      if (title.textContent.endsWith("Unknown Directive")) title.closest("details").classList.add("facelab-made");
  }

  /** Scroll to the place in a page that a link names, once JupyterLab has opened and rendered the page. */
  async function follow(app, event) {
    const [, path, id] = event.target.closest?.("a")?.href.match(/\/files\/([^?#]+)[^#]*#(.+)/) ?? [];
    for (let tries = 0; id && tries < 100; tries++) {
      await new Promise(resolve => setTimeout(resolve, 100));
      const { context, node } = app.shell.currentWidget ?? {};
      const place = context?.path === decodeURIComponent(path) && node.querySelector(`[id="${CSS.escape(id)}"]`);
      if (place) return place.scrollIntoView();
    }
  }

  /** Show caption and alternative text of every figure of a notebook, which stand in the metadata of its cells. */
  function caption({ widgets, rendermime }) {
    for (const cell of widgets) {
      const said = cell.outputArea && cell.model.getMetadata("mystnb");
      if (!said?.figure?.caption) continue;
      const pictures = cell.outputArea.node.querySelectorAll(".jp-RenderedImage img, .jp-RenderedSVG img");
      pictures.forEach(picture => (picture.alt = said.image?.alt ?? ""));
      const shown = cell.outputArea.node.querySelector(".facelab-caption");
      if (!pictures.length) shown?.remove();
      if (!pictures.length || shown) continue;
      const text = rendermime.createRenderer("text/markdown");
      text.renderModel(rendermime.createModel({ data: { "text/markdown": said.figure.caption } }));
      text.addClass("facelab-caption");
      cell.outputArea.node.append(text.node);
    }
  }

  const known = new WeakSet(); // kernels whose progress is shown

  /** Show one line below a cell while facelab.progress tells of it; it is no output, so it is not stored. */
  function progress({ content, sessionContext }) {
    const kernel = sessionContext.session?.kernel;
    if (!kernel || known.has(kernel)) return;
    known.add(kernel);
    kernel.registerCommTarget("facelab-progress", (comm, { content: { data }, parent_header: { msg_id } }) => {
      const cell = content.widgets.find(cell => cell.outputArea?.future?.msg.header.msg_id === msg_id);
      const line = document.createElement("div");
      const bar = line.appendChild(document.createElement("progress"));
      const text = line.appendChild(document.createElement("span"));
      line.className = "facelab-progress";
      bar.setAttribute("aria-label", "progress of the cell");
      const said = data => ((bar.value = data.share), (text.textContent = data.text));
      said(data);
      cell?.node.append(line);
      comm.onMsg = message => said(message.content.data);
      comm.onClose = () => line.remove();
      kernel.statusChanged.connect((_, status) => /restarting|dead/.test(status) && line.remove());
    });
  }

  async function show(app) {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
    const contents = app.serviceManager.contents;
    const read = path => contents.get(path).catch(() => null); // the root may be another folder
    const [start, bibliography] = [await read(START), await read(BIBLIOGRAPHY)];
    const found = works(bibliography?.content ?? "");
    let waiting = false;
    const look = () => {
      waiting = false;
      cite(found);
      mark(app.shell.node);
      for (const panel of app.shell.widgets("main")) {
        if (!panel.sessionContext || !panel.content?.widgets) continue; // no notebook
        caption(panel.content);
        progress(panel);
      }
    };
    new MutationObserver(() => (waiting ||= Boolean(requestAnimationFrame(look)))).observe(app.shell.node, {
      childList: true,
      subtree: true,
      characterData: true,
    });
    document.addEventListener("click", event => follow(app, event), true);
    await app.restored;
    if (!start) return;
    const asked = location.pathname.includes("/tree/") || [...app.shell.widgets("main")].some(widget => widget.context);
    if (!asked) app.commands.execute("docmanager:open", { path: START, factory: "Markdown Preview" });
  }

  const activate = app => void show(app); // JupyterLab waits for what an extension returns

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB.facelab = {
    init: () => {},
    get: async () => () => ({ __esModule: true, default: { id: "facelab:course", autoStart: true, activate } }),
  };
})();
