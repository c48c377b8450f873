// A step's own styles where the page's policy lets nothing inline in: one page serves all studies of a lab there, so its
// policy cannot name what stands in their steps. Given to the browser as objects they need no leave, and scripts stay out.

const ASIDE = 'data-own-style';
const TAG = /<[a-z][a-z0-9-]*(?:\s+[^\s=>"]+(?:="[^"]*")?)*\s*\/?>/gi; // as the cleaner writes them, and it writes all of them

/** The HTML with every style attribute under another name: a browser complains as soon as it reads one. */
export function setAside(html) {
  return html.replace(TAG, (tag) => tag.replace(/(\s)style="/i, `$1${ASIDE}="`));
}

/** Takes style elements and attributes that were set aside out of a fragment. Returns what puts them into force. */
export function takeStyles(fragment) {
  const sheets = [...fragment.querySelectorAll('style')].map((style) => {
    const sheet = new CSSStyleSheet({ media: style.media });
    sheet.replaceSync(style.textContent);
    style.remove();
    return sheet;
  });
  const styled = [...fragment.querySelectorAll(`[${ASIDE}]`)].map((element) => {
    const text = element.getAttribute(ASIDE);
    element.removeAttribute(ASIDE);
    return [element, text];
  });
  return () => {
    document.adoptedStyleSheets = sheets; // those of the step before are gone with it
    for (const [element, text] of styled) element.style.cssText = text;
  };
}
