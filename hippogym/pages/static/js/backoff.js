// How long to wait before the next attempt to connect. Pure: chance is handed in.

const FIRST_S = 0.3;
const LONGEST_S = 10;

/**
 * Seconds to wait before attempt number `attempt` (from 0): doubling from 0.3 s up to 10 s, then shortened by up to half
 * at random, so that a room full of browsers does not come back in step.
 */
export function waitBeforeAttempt(attempt, random = Math.random()) {
  const longest = Math.min(LONGEST_S, FIRST_S * 2 ** Math.min(attempt, 16));
  return longest * (1 - random / 2);
}
