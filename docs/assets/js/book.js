// Accessible names and keyboard focus that the theme leaves out.
// Its scripts add these elements after loading, hence the observer.
(() => {
  const labels = {
    ".md-search[role=dialog]": "Search",
    ".md-annotation__index": "Annotation",
  };
  const complete = () => {
    for (const [selector, label] of Object.entries(labels))
      for (const element of document.querySelectorAll(`${selector}:not([aria-label])`))
        element.setAttribute("aria-label", label);
    // The buttons of a code block are no landmark; a page would have dozens of the same name.
    for (const element of document.querySelectorAll(".md-code__nav:not([role])")) element.role = "none";
    // What scrolls sideways can be reached and moved by keyboard.
    for (const element of document.querySelectorAll(".md-typeset__scrollwrap, .figure"))
      if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
  };
  new MutationObserver(complete).observe(document.documentElement, { childList: true, subtree: true });
  addEventListener("resize", complete);
  addEventListener("load", complete);
  // What is unfolded may scroll sideways, too; the event does not rise from its element.
  addEventListener("toggle", complete, true);
  // Paper is white. The theme itself unfolds what is folded.
  const paper = matchMedia("print");
  let scheme;
  paper.addEventListener("change", () => {
    const chosen = document.body.dataset;
    if (paper.matches) scheme = chosen.mdColorScheme;
    chosen.mdColorScheme = paper.matches ? "default" : scheme;
  });
})();
