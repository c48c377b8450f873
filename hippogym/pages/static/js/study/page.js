// One step of the study on the page: its form, what has been typed into it, for how long, and what is wrong with it.

import { answersIn, groupsIn } from './answers.js';
import { Complaints, problemsIn, summary } from './problems.js';
import { Drafts, entriesOf, fillIn, putBack } from './draft.js';
import { fragmentOf, markRequired, runScripts, showRanges } from './step.js';
import { ShownTime } from './timing.js';
import { setAside, takeStyles } from './styles.js';

const KEEP_AFTER_MS = 300;
const byId = (id) => document.getElementById(id);

export class StepPage {
  #content = byId('study-content');
  #complaints;
  #drafts;
  #time = new ShownTime().listen();
  #stamp = null;
  #name = null;
  #keeping = null;
  #scripts;
  #isElsewhere;
  #onSubmit;

  /**
   * storage: for drafts, or null. scripts: whether those of the steps run. isElsewhere: whether the page's policy does not
   * know this study. onSubmit(): nothing is missing, send it.
   */
  constructor({ storage, projectId, scripts, isElsewhere, onSubmit }) {
    this.#drafts = new Drafts(storage, projectId);
    this.#scripts = scripts;
    this.#isElsewhere = isElsewhere;
    this.#onSubmit = onSubmit;
    this.#complaints = new Complaints(this.#content, byId('study-alert'));
    byId('study-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    for (const event of ['input', 'change']) this.#content.addEventListener(event, () => this.#keepSoon());
    window.addEventListener('pagehide', () => this.#keep());
    document.addEventListener('visibilitychange', () => this.#keep());
  }

  get stamp() {
    return this.#stamp;
  }

  /** view: of kind page or end. Returns what is to be told beside it: names of files that have to be chosen again. */
  show(view) {
    const again = view.name === this.#name && view.kind === 'page' ? entriesOf(this.#content) : null;
    const draft = this.#drafts.of(view.stamp);
    this.#complaints.clear();
    const html = view.html ?? '';
    const fragment = fragmentOf(this.#isElsewhere ? setAside(html) : html);
    const dress = this.#isElsewhere ? takeStyles(fragment) : () => {};
    this.#content.replaceChildren(fragment);
    dress();
    this.#stamp = view.kind === 'page' ? view.stamp : null;
    this.#name = view.name;
    const entries = draft?.entries ?? again;
    if (!entries && view.answers) fillIn(view.answers, this.#content);
    const lost = entries ? putBack(entries, this.#content) : [];
    showRanges(this.#content);
    byId('study-needed').hidden = markRequired(this.#content) === 0;
    this.#time.start(draft?.times);
    if (!draft) this.#drafts.forget();
    byId('study-sending').hidden = view.kind !== 'page';
    byId('study-submit').textContent = groupsIn(this.#content).size ? 'Submit' : 'Continue';
    if (this.#scripts) runScripts(this.#content);
    return lost;
  }

  /** Shows what the server has found wrong; judged: a quiz, not a form that is incomplete. */
  complain(problems, { judged = false, triesLeft = null } = {}) {
    this.#complaints.show(problems, summary(problems.length, triesLeft, judged));
  }

  async answers() {
    const times = this.#time.read();
    return { stamp: this.#stamp, answers: await answersIn(this.#content), ...times };
  }

  /** While answers are on their way nothing of them can be changed. */
  lock(text) {
    this.#content.inert = true;
    byId('study-submit').setAttribute('aria-disabled', 'true');
    byId('study-sending-text').textContent = text;
  }

  unlock() {
    this.#content.inert = false;
    byId('study-submit').removeAttribute('aria-disabled');
    byId('study-sending-text').textContent = '';
  }

  /** Another thing is shown in its place; what has been typed stays kept for coming back. */
  rest() {
    this.#keep();
    this.#stamp = this.#name = null;
    this.#complaints.clear();
  }

  /** The step is over: nothing of it is kept here. */
  forget() {
    this.rest();
    this.#drafts.forget();
    this.#content.replaceChildren();
  }

  #submit() {
    if (this.#content.inert || this.#stamp === null) return;
    const problems = problemsIn(this.#content);
    if (problems.length) this.complain(problems);
    else this.#onSubmit();
  }

  #keepSoon() {
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keep(), KEEP_AFTER_MS);
  }

  #keep() {
    clearTimeout(this.#keeping);
    if (this.#stamp !== null) this.#drafts.keep(this.#stamp, this.#content, this.#time.read());
  }
}
