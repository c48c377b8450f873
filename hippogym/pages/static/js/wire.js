// The wire as bytes and numbers: the header of a frame, and what each close code asks of the page.
// Pure; the conversation itself is in connection.js. The reference is docs/protocol.md.

export const SUBPROTOCOL = 'hippogym.v2';

const VERSION = 2;
const HEADER_BYTES = 32;
const LAST = 1;
const RESENT = 2;
const PNG = 4;

/**
 * One binary message → the frame in it, or null where it is not one.
 * `serverUs` is the server's monotonic clock in microseconds; `image` is a view into the message, not a copy.
 */
export function parseFrame(buffer) {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const view = new DataView(buffer);
  const headerBytes = view.getUint16(2);
  if (view.getUint8(0) !== VERSION || headerBytes < HEADER_BYTES || headerBytes >= buffer.byteLength) return null;
  const flags = view.getUint8(1);
  return {
    last: (flags & LAST) !== 0,
    resent: (flags & RESENT) !== 0,
    type: flags & PNG ? 'image/png' : 'image/jpeg',
    frameId: view.getUint32(4),
    episode: view.getUint32(8),
    tick: view.getUint32(12),
    serverUs: Number(view.getBigUint64(16)),
    x: view.getUint16(24),
    y: view.getUint16(26),
    width: view.getUint16(28),
    height: view.getUint16(30),
    image: new Uint8Array(buffer, headerBytes),
  };
}

/** One text message → the object in it, or null where it is not one. */
export function parseMessage(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

const CLOSE_CODES = {
  1000: 'ended',
  1012: 'stopping',
  4001: 'replaced',
  4008: 'full',
  4500: 'failed',
};

/** What a close means to the page: one of `ended stopping replaced full failed`, or `lost`: come back. */
export function closeMeaning(code) {
  return CLOSE_CODES[code] ?? 'lost';
}
