// What a participant has entered, control by control, exactly: unticked differs from ticked, nothing chosen from empty text.

const NO_ANSWERS = new Set(['button', 'submit', 'reset', 'image']);

/** The named controls inside `root` that can be answered, in document order. */
export function controlsIn(root) {
  return [...root.querySelectorAll('input, select, textarea')].filter(
    (control) => control.name && !NO_ANSWERS.has(control.type) && !control.matches(':disabled'),
  );
}

/** name → its controls, in document order. */
export function groupsIn(root) {
  const groups = new Map();
  for (const control of controlsIn(root)) {
    if (!groups.has(control.name)) groups.set(control.name, []);
    groups.get(control.name).push(control);
  }
  return groups;
}

/**
 * {name: answer} of everything in `root`. One box: true or false. Several boxes of one name, or a list to choose several
 * from: the values chosen. Radio: the value, or null. File: {file, type, base64}, or null. All else: the text as it stands.
 */
export async function answersIn(root) {
  const answers = Object.create(null);
  for (const [name, controls] of groupsIn(root)) answers[name] = await answerOf(controls);
  return answers;
}

async function answerOf(controls) {
  const [first] = controls;
  switch (first.type) {
    case 'radio':
      return controls.find((control) => control.checked)?.value ?? null;
    case 'checkbox':
      if (controls.length === 1) return first.checked;
      return controls.filter((control) => control.checked).map((control) => control.value);
    case 'select-multiple':
      return [...first.selectedOptions].map((option) => option.value);
    case 'file':
      return filesOf(first);
    default:
      return controls[controls.length - 1].value;
  }
}

async function filesOf(control) {
  const files = await Promise.all([...control.files].map(fileAnswer));
  if (control.multiple) return files;
  return files[0] ?? null;
}

async function fileAnswer(file) {
  return { file: file.name, type: file.type, base64: await base64Of(file) };
}

/** Raises an error where the file cannot be read (any more). */
function base64Of(file) {
  return new Promise((go, fail) => {
    const reader = new FileReader();
    reader.onload = () => go(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });
}
