// Shows the course in JupyterLab as its pages show it: citations as names and years, figures with caption and
// alternative text, the progress of a cell, the glossary, links into a page, and the start page where nothing else is open. jupyterlab-myst
// shows exercises, folded solutions and boxes; overrides.json beside this file lets pages open rendered.
// Written as JupyterLab loads it (a module-federation container), so that nothing has to be built. It changes what is
// seen, never what is stored; without it a notebook works all the same.

(() => {
  const HERE = new URL(".", document.currentScript.src); // of the installed extension
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
    .facelab-term span:not(.katex *) { white-space: normal; }
    .facelab-term .katex { white-space: nowrap; }
    .facelab-term::first-line { font-weight: bold; }
    .facelab-made { border: none; box-shadow: none; background: none; }
    .facelab-made > :not(ul) { display: none !important; }
    .facelab-made:not(:has(> ul))::after { content: "This part is made when the book is built; README.md says how."; }
    .jp-MarkdownViewer div:has(> div > img + p) { display: grid; grid-template-columns: 3fr 3fr 2fr 2fr 2fr; gap: 1em; }
    .jp-Cell:has(> .alive[data-state="ready"]) > .jp-Cell-inputWrapper { display: none; }
    .jp-Cell > .alive { margin: 4px 8px 12px calc(var(--jp-cell-prompt-width) + 5px); font-size: var(--jp-content-font-size1); }
    .jp-Notebook .alive {
      --pst-color-border: var(--jp-border-color2); --pst-color-text-base: var(--jp-content-font-color1);
      --pst-color-text-muted: var(--jp-content-font-color2); --pst-color-background: var(--jp-layout-color0);
      --pst-color-surface: var(--jp-layout-color1);
    }`;

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

  /** Mark what links lead to: the terms of the glossary, the title of a page. */
  function mark(root) {
    const name = text => text.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, ""); // as Sphinx does
    for (const title of root.querySelectorAll(".myst-fm-block-title:not([id])"))
      title.id = name(title.textContent).toLowerCase();
    for (const entry of root.querySelectorAll(".jp-MarkdownViewer p:not(.facelab-term)")) {
      const [english, russian] = entry.firstChild?.nodeValue?.split("\n") ?? [];
      if (!/[а-яё]/i.test(russian) || /[а-яё]/i.test(english)) continue;
      entry.id = `term-${name(english)}`;
      entry.classList.add("facelab-term");
    }
    // Only the build knows the address of the repository, of which a copy is open here.
    for (const { firstChild: text } of root.querySelectorAll(".jp-MarkdownViewer p"))
      if (text?.nodeValue?.includes("{{")) text.nodeValue = text.nodeValue.replace("{{ repository }}", "facelab");
  }

  /** Say what only the build of the book can show; where it is made of links, as the chapters' cards are, show these. */
  function made(app) {
    for (const title of app.shell.node.querySelectorAll("details:not(.facelab-made) > summary .myst-exercise-title")) {
      if (!title.textContent.endsWith("Unknown Directive")) continue;
      const box = title.closest("details");
      box.classList.add("facelab-made");
      const { context } = [...app.shell.widgets("main")].find(({ node }) => node.contains(box)) ?? {};
      const list = document.createElement("ul");
      for (const [, words, to] of box.querySelector("pre").textContent.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)) {
        const path = new URL(to, `http://jupyter/${context?.path}`).pathname.slice(1);
        const link = list.appendChild(document.createElement("li")).appendChild(document.createElement("a"));
        Object.assign(link, { textContent: words, href: `${app.serviceManager.serverSettings.appUrl}/tree/${path}` });
        link.onclick = () => (app.commands.execute("rendermime:handle-local-link", { path }), false);
      }
      if (list.childElementCount) box.append(list);
      box.open = true;
    }
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

  let loaded; // what draws interactive figures, once

  /** Put an interactive figure below the words that stand for it, which go when it is there; where it fails, they stay. */
  async function enliven({ model, node }) {
    const written = model.type === "markdown" && model.sharedModel.source.match(/^<div class="alive"([^>]*)>/m);
    if (!written || node.querySelector(":scope > .alive")) return;
    const figure = document.createElement("div"); // beside what is rendered, which a change of any cell renders anew
    figure.className = "alive";
    for (const [, name, value] of written[1].matchAll(/data-(\w+)="([^"]*)"/g)) figure.dataset[name] = value;
    figure.addEventListener("focusin", ({ target }) => (target.dataset.lmSuppressShortcuts = "true")); // keys are its own
    node.append(figure);
    loaded ??= new Promise((resolve, reject) => {
      const [style, script] = [document.createElement("link"), document.createElement("script")];
      Object.assign(style, { rel: "stylesheet", href: `${HERE}alive/alive.css` });
      Object.assign(script, { src: `${HERE}alive/alive.js`, onload: resolve, onerror: reject });
      document.head.append(style, script);
    });
    await loaded.then(() => alive.watch(figure), () => {});
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
    // The root may be another folder; jupytext, where it is installed, would make a notebook of a page.
    const read = path => contents.get(path, { type: "file", format: "text", content: true }).catch(() => null);
    const [start, bibliography] = [await read(START), await read(BIBLIOGRAPHY)];
    const found = works(bibliography?.content ?? "");
    let waiting = false;
    const look = () => {
      waiting = false;
      cite(found);
      mark(app.shell.node);
      made(app);
      for (const panel of app.shell.widgets("main")) {
        if (!panel.sessionContext || !panel.content?.widgets) continue; // no notebook
        panel.content.widgets.forEach(enliven);
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
