// The study's interface over HTTP, and the only module that knows it: arrive, look again, answer, withdraw.
// Asking is safe to repeat, so what was not heard is simply said again; a plain no is told apart from silence.
// The study is where the page came from; on AWS it is at an address of its own, for all studies of a lab.

const PATIENCE_MS = 20_000;
const SLOW_BYTES_PER_MS = 10; // a participant's worst line carries a file at 10 kB a second
const LATER = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Nobody knows whether it was heard. The same again, a little later, is right. */
export class Unheard extends Error {}

/** The server's no. `problems`: what is wrong with which answer, [{name, text}]. */
export class Refusal extends Error {
  constructor(status, { code = '', text = '' } = {}, problems = []) {
    super(text || `The server answered ${status}.`);
    this.status = status;
    this.code = code;
    this.text = text;
    this.problems = problems;
  }
}

export class Desk {
  #tokens;
  #fetch;
  #api;
  #about; // what every request says of the study

  /** tokens: a TokenStore for the right to come back to this visit. api: where the study is; null: where the page is. */
  constructor(tokens, { api = null, projectId = null, fetch = (...asked) => globalThis.fetch(...asked) } = {}) {
    this.#tokens = tokens;
    this.#fetch = fetch;
    this.#api = api ?? '';
    this.#about = api ? { projectId } : {};
  }

  get token() {
    return this.#tokens.get();
  }

  /** Begins a visit, or comes back to it. link: the parameters of the page's address. Returns {resumed, view, study}. */
  async arrive(link, client) {
    const known = this.token;
    try {
      return await this.#arrive(link, client);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401 && known) {
        this.#tokens.clear(); // a visit that the study no longer knows
        return this.#arrive(link, client);
      }
      // Two tabs may have begun at once: the one that was first has left its token here meanwhile.
      if (error.status === 409 && this.token && this.token !== known) return this.#arrive(link, client);
      throw error;
    }
  }

  async #arrive(link, client) {
    const { token, resumed, view, study } = await this.#ask('POST', '/study/arrive', { link, client });
    if (token) this.#tokens.set(token);
    return { resumed, view, study: study ?? {} };
  }

  /** Where the visit stands. afterGame: something has happened to the game, which the study may not have heard of yet. */
  async now({ afterGame = false } = {}) {
    return (await this.#ask('GET', '/study/now', undefined, afterGame ? { after: 'game' } : {})).view;
  }

  /** Hands on what the game's server has said to the study, word for word. */
  async handOn(receipts) {
    return (await this.#ask('POST', '/study/now', { receipts })).view;
  }

  /** {stamp, answers, shownMs, focusMs, client} → {view, repeated}. Raises a Refusal with problems where answers will not do. */
  answer(given) {
    return this.#ask('POST', '/study/answer', given);
  }

  async withdraw(deleteToo) {
    return (await this.#ask('POST', '/study/withdraw', { delete: deleteToo })).view;
  }

  async #ask(method, path, content = undefined, more = {}) {
    const headers = { Accept: 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const body = content === undefined ? undefined : JSON.stringify(content);
    if (body) headers['Content-Type'] = 'application/json';
    const patienceMs = PATIENCE_MS + Math.ceil((body?.length ?? 0) / SLOW_BYTES_PER_MS);
    let status;
    let told;
    try {
      const signal = AbortSignal.timeout(patienceMs);
      const asked = new URLSearchParams(this.#api ? { ...this.#about, ...more } : {}).toString();
      const address = `${this.#api}${path}${asked && `?${asked}`}`;
      const response = await this.#fetch(address, { method, headers, body, signal, cache: 'no-store', redirect: 'error' });
      status = response.status;
      told = parsed(await response.text());
    } catch (error) {
      throw new Unheard(String(error?.message ?? error));
    }
    if (status === 200 && told) return told;
    if (status === 200 || LATER.has(status)) throw new Unheard(told?.error?.text ?? `The server answered ${status}.`);
    throw new Refusal(status, told?.error, Array.isArray(told?.problems) ? told.problems : []);
  }
}

/** An answer that broke off on the way is no answer. */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
