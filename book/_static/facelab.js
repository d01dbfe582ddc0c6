// A box that scrolls must be reachable with the keyboard (WCAG 2.1.1). Widths are known only after layout.
function focusScrollableBoxes() {
  for (const box of document.querySelectorAll("mjx-container[display='true'], .cell_output .output, .pst-scrollable-table-container, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
window.addEventListener("load", () => setTimeout(focusScrollableBoxes, 300));
window.addEventListener("resize", focusScrollableBoxes);
