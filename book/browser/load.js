// In the book: load the pipeline's scripts when the reader asks for them, one after the other, then start it.
"use strict";
{
  const [panel, button, status, progress] = ["try", "try-start", "try-status", "try-progress"].map((id) => document.getElementById(id));
  const from = document.currentScript.src.replace(/[^/]*$/, ""), names = JSON.parse(panel.dataset.scripts);
  const load = (name) => new Promise((done, fail) => {
    document.head.append(Object.assign(document.createElement("script"), { src: from + name, onload: done, onerror: fail }));
  });

  button.onclick = async () => {
    button.disabled = true;
    progress.hidden = false;
    try {
      for (const [number, name] of names.entries()) {
        status.textContent = `Loading file ${number + 1} of ${names.length}: ${name}`;
        progress.value = number / names.length;
        await load(name);
      }
      facelab.start();
    } catch ({ target }) {
      status.textContent = `${target.src} could not be loaded: build the book again, or open the single file.`;
      progress.hidden = true;
    }
    button.disabled = false;
  };
}
