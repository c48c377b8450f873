// What the record keeps of the participant's browser: its kind and its screen, nothing that tells who it is.

const BROWSERS = [
  ['Edge', /Edg(?:e|A|iOS)?\/(\d+)/],
  ['Opera', /OPR\/(\d+)/],
  ['Firefox', /(?:Firefox|FxiOS)\/(\d+)/],
  ['Chrome', /(?:HeadlessChrome|Chrome|CriOS)\/(\d+)/],
  ['Safari', /Version\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari/],
];
const SYSTEMS = [
  ['Android', /Android (\d+)/],
  ['iOS', /(?:iPhone|CPU) OS (\d+)/],
  ['Windows', /Windows NT ([\d.]+)/],
  ['macOS', /Mac OS X ([\d_.]+)/],
  ['ChromeOS', /CrOS \S+ ([\d.]+)/],
  ['Linux', /Linux (\w+)/],
];

/** `{system, systemVersion, browser, browserVersion}` of a user agent's text; empty text where it does not say. */
export function describeAgent(userAgent) {
  const [system, systemVersion] = firstMatch(SYSTEMS, userAgent);
  const [browser, browserVersion] = firstMatch(BROWSERS, userAgent);
  return { system, systemVersion, browser, browserVersion };
}

function firstMatch(table, text) {
  for (const [name, pattern] of table) {
    const found = pattern.exec(text);
    if (found) return [name, found[1]];
  }
  return ['', ''];
}

/** The `client` object of hello. */
export function describeClient({ navigator, screen, devicePixelRatio }) {
  return {
    ...describeAgent(navigator.userAgent),
    language: navigator.language ?? '',
    screenWidth: screen.width,
    screenHeight: screen.height,
    pixelRatio: devicePixelRatio,
    touchPoints: navigator.maxTouchPoints ?? 0,
  };
}
