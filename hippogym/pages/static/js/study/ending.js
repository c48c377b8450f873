// The end of a visit: the words for how it ended, the code with its button, or the way back to where the person came from.

const byId = (id) => document.getElementById(id);
const ONWARDS_S = 15; // time to read the last page and to say that one wants to stay

const WORDS = {
  __proto__: null,
  complete: 'That was everything. Thank you for taking part!',
  screenedOut: 'Thank you for your interest. This study needs people with other answers, so it ends here for you.',
  failedCheck: 'Thank you for taking part. The study ends here.',
  withdrew: 'You have left the study. Thank you for the time you gave.',
  fault: 'Something went wrong on our side, and the study cannot go on. It was not your doing. Please tell the researcher.',
  full: 'Thank you for your interest. As many people as the study needs have already taken part.',
};

/** What to say of an ending {outcome, text, code, redirect}: {text, label, onwards}, each empty where there is nothing. */
export function endWords({ outcome, text, code, redirect }) {
  const goOn = redirect ? `To have your part counted, go back to ${hostOf(redirect)}.` : '';
  return {
    text: text || (WORDS[outcome] ?? WORDS.complete),
    label: code && outcome === 'complete' ? 'Your completion code' : code ? 'Your code' : '',
    onwards: goOn,
  };
}

/** Only web addresses are followed. */
export function safeAddress(address) {
  try {
    const url = new URL(address);
    return ['http:', 'https:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function hostOf(address) {
  return new URL(address).hostname.replace(/^(www|app)\./, '');
}

export class Ending {
  #say;
  #timer = null;

  /** say(text): for those who listen. */
  constructor(say) {
    this.#say = say;
    byId('study-code-copy').addEventListener('click', () => this.#copy());
    byId('study-onwards-stay').addEventListener('click', () => this.#stay());
  }

  /** justNow: the visit has ended in front of this person; who only comes back to look is not sent away. */
  show(end, { justNow, hasPage }) {
    const redirect = safeAddress(end.redirect ?? '');
    const words = endWords({ ...end, redirect });
    byId('study-end').hidden = false;
    byId('study-end-text').textContent = hasPage && !end.text ? '' : words.text;
    byId('study-end-text').hidden = byId('study-end-text').textContent === '';
    byId('study-code').hidden = !end.code;
    byId('study-code-label').textContent = words.label;
    byId('study-code-text').textContent = end.code ?? '';
    byId('study-onwards').hidden = redirect === null;
    if (redirect === null) return;
    byId('study-onwards-link').href = redirect;
    byId('study-onwards-text').textContent = words.onwards;
    byId('study-onwards-stay').hidden = !justNow;
    if (justNow) this.#leadOn(redirect, words.onwards);
  }

  hide() {
    clearInterval(this.#timer);
    byId('study-end').hidden = true;
  }

  #leadOn(redirect, sentence) {
    let left = ONWARDS_S;
    const look = () => {
      byId('study-onwards-text').textContent = `${sentence} That happens by itself in ${left} s.`;
      if (left <= 0) {
        clearInterval(this.#timer);
        location.assign(redirect);
      }
      left -= 1;
    };
    clearInterval(this.#timer);
    look();
    this.#timer = setInterval(look, 1000);
  }

  #stay() {
    clearInterval(this.#timer);
    byId('study-onwards-stay').hidden = true;
    byId('study-onwards-text').textContent = 'Press Continue when you are ready, so that your part is counted.';
    byId('study-onwards-link').focus();
  }

  async #copy() {
    const code = byId('study-code-text');
    selectAll(code);
    const copied = (await copyText(code.textContent)) || document.execCommand?.('copy') === true;
    byId('study-code-copy').textContent = copied ? 'Copied' : 'Please copy it by hand';
    this.#say(copied ? 'The code has been copied.' : 'The code could not be copied. It is selected now.');
  }
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // not everywhere, and not without the person's leave
  }
}

function selectAll(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}
