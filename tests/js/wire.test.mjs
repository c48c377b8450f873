import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeMeaning, parseFrame } from '../../hippogym/pages/static/js/wire.js';

function frame({ version = 2, flags = 0, headerBytes = 32, image = [0xff, 0xd8, 0xff], extra = 0 } = {}) {
  const buffer = new ArrayBuffer(32 + extra + image.length);
  const view = new DataView(buffer);
  view.setUint8(0, version);
  view.setUint8(1, flags);
  view.setUint16(2, headerBytes + extra);
  view.setUint32(4, 0xfffffffe);
  view.setUint32(8, 3);
  view.setUint32(12, 70000);
  view.setBigUint64(16, 1234567890123456n);
  view.setUint16(24, 1);
  view.setUint16(26, 2);
  view.setUint16(28, 160);
  view.setUint16(30, 210);
  new Uint8Array(buffer).set(image, 32 + extra);
  return buffer;
}

test('every field of the header is read big-endian from its place', () => {
  const { image, ...fields } = parseFrame(frame());
  assert.deepEqual(fields, {
    last: false,
    resent: false,
    type: 'image/jpeg',
    frameId: 0xfffffffe,
    episode: 3,
    tick: 70000,
    serverUs: 1234567890123456,
    x: 1,
    y: 2,
    width: 160,
    height: 210,
  });
  assert.deepEqual([...image], [0xff, 0xd8, 0xff]);
});

test('each flag means one thing', () => {
  const told = (flags) => {
    const { last, resent, type } = parseFrame(frame({ flags }));
    return [last, resent, type];
  };
  assert.deepEqual(told(1), [true, false, 'image/jpeg']);
  assert.deepEqual(told(2), [false, true, 'image/jpeg']);
  assert.deepEqual(told(4), [false, false, 'image/png']);
  assert.deepEqual(told(7), [true, true, 'image/png']);
});

test('the image starts where the header says, so that later headers may grow', () => {
  assert.deepEqual([...parseFrame(frame({ extra: 8 })).image], [0xff, 0xd8, 0xff]);
});

test('what is not a frame of version 2 is null and never an exception', () => {
  assert.equal(parseFrame(new ArrayBuffer(0)), null);
  assert.equal(parseFrame(new ArrayBuffer(31)), null);
  assert.equal(parseFrame(frame({ version: 3 })), null);
  assert.equal(parseFrame(frame({ headerBytes: 31 })), null, 'a header shorter than its fields');
  assert.equal(parseFrame(frame({ headerBytes: 4000 })), null, 'a header longer than the message');
  assert.equal(parseFrame(frame({ image: [] })), null, 'no image');
});

test('a close code that asks for nothing special asks to come back', () => {
  const meanings = [1000, 1012, 4001, 4008, 4500, 1006, 1001, 1011, 4000, 4002, 4009].map(closeMeaning);
  assert.deepEqual(meanings.slice(0, 5), ['ended', 'stopping', 'replaced', 'full', 'failed']);
  assert.deepEqual(new Set(meanings.slice(5)), new Set(['lost']));
});
