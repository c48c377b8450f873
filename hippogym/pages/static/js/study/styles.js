// A step's own styles where the page's policy lets nothing inline in: one page serves all studies of a lab there, so its
// policy cannot name what stands in their steps. Given to the browser as objects they need no leave, and scripts stay out.

/** Takes style elements and attributes out of a fragment that is not in the page yet. Returns what puts them into force. */
export function takeStyles(fragment) {
  const sheets = [...fragment.querySelectorAll('style')].map((style) => {
    const sheet = new CSSStyleSheet({ media: style.media });
    sheet.replaceSync(style.textContent);
    style.remove();
    return sheet;
  });
  const styled = [...fragment.querySelectorAll('[style]')].map((element) => {
    const text = element.getAttribute('style');
    element.removeAttribute('style');
    return [element, text];
  });
  return () => {
    document.adoptedStyleSheets = sheets; // those of the step before are gone with it
    for (const [element, text] of styled) element.style.cssText = text;
  };
}
