// What the browser's tab says while one waits in line: people look at other tabs meanwhile.

let plain = null; // the title as it was before

/** place: in the line, or null where it is not known. */
export function titleInLine(place) {
  plain ??= document.title;
  document.title = `${place ? `${place} in line` : 'In line'} · ${plain}`;
}

/** Until there is a computer for the game. */
export function titleWaiting() {
  plain ??= document.title;
  document.title = `Waiting · ${plain}`;
}

/** It is this person's turn; until they play, that is what the tab says. */
export function titleYourTurn() {
  if (plain !== null) document.title = `Your turn · ${plain}`;
}

/** As it was. */
export function titleAsBefore() {
  if (plain !== null) document.title = plain;
  plain = null;
}
