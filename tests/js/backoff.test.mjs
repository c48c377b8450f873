import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitBeforeAttempt } from '../../hippogym/pages/static/js/backoff.js';

test('waits double from 0.3 s to 10 s and no further', () => {
  const waits = [0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => waitBeforeAttempt(attempt, 0));
  assert.deepEqual(waits, [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 10, 10]);
});

test('chance takes away up to half, so that a room of browsers does not come back in step', () => {
  assert.equal(waitBeforeAttempt(6, 1), 5);
  const waits = new Set(Array.from({ length: 50 }, () => waitBeforeAttempt(3)));
  assert.ok(waits.size > 40, 'fifty waits should hardly ever agree');
  for (const wait of waits) assert.ok(wait > 1.1 && wait <= 2.4, `${wait}`);
});
