// A box that scrolls must be reachable with the keyboard (WCAG 2.1.1). Widths are known only when formulas stand.
const BOXES = "mjx-container[display='true'], .cell_output .output, .pst-scrollable-table-container, .cell_output figure, pre";

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

// Search fetches each page that it finds to show an excerpt. A browser allows no fetch from a page that was opened from disk.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
