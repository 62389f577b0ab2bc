// Tooltips of the terms: the text of a link's term, shown while the link is hovered over or has the focus.
// It stays while the pointer is on it, and Escape takes it away (WCAG 2.2, 1.4.13). Without this script
// the links lead to the same texts on the glossary's page.
(() => {
  const LEAVE = 250; // milliseconds to get from the link to its tooltip
  const tip = Object.assign(document.createElement("div"), { id: "term-tip", className: "term-tip", hidden: true });
  tip.setAttribute("role", "tooltip");
  let shown = null;
  let timer;

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  };

  const show = (link) => {
    clearTimeout(timer);
    if (link === shown) return;
    hide();
    const text = globalThis.bookTerms?.[link.hash.slice(1)];
    if (!text) return;
    shown = link;
    tip.textContent = text;
    link.closest("article").append(tip);
    link.setAttribute("aria-describedby", tip.id);
    tip.hidden = false;
    // Below the term; where the window ends, above it: what has the focus must not be hidden.
    // A term that a line break divides begins and ends in different places.
    const [first, last] = [link.getClientRects()[0], [...link.getClientRects()].at(-1)];
    const above = last.bottom + tip.offsetHeight > innerHeight && first.top > tip.offsetHeight;
    const line = above ? first : last;
    // Not over the edge of the window.
    const left = Math.max(8, Math.min(line.left, document.documentElement.clientWidth - tip.offsetWidth - 8));
    const frame = tip.offsetParent.getBoundingClientRect();
    tip.style.left = `${left - frame.left}px`;
    tip.style.top = `${(above ? line.top - tip.offsetHeight : line.bottom) - frame.top}px`;
  };

  const term = (event) => event.target.closest?.("a.term");
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => document.activeElement === shown || hide(), LEAVE);
  };

  document.addEventListener("pointerover", (event) => {
    if (term(event)) show(term(event));
    else if (tip.contains(event.target)) clearTimeout(timer);
  });
  document.addEventListener("pointerout", (event) => {
    if (term(event) || tip.contains(event.target)) later();
  });
  document.addEventListener("focusin", (event) => (term(event) ? show(term(event)) : hide()));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("pagehide", hide); // a page that is gone back to is shown as it was left
})();
