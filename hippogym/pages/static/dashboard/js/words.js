// Numbers as people read them. Pure. What is not known is a dash.

export const UNKNOWN = '–';

/** `value` with so many decimals, or a dash. */
export function number(value, decimals = 0) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return UNKNOWN;
  return value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A number with as many decimals as it needs, at most two. */
export function score(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return UNKNOWN;
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) >= 100 ? 0 : 2 });
}

/** Seconds as '40 s', '3 min', '1 h 05'. */
export function duration(seconds) {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')}`;
}

/** '12.3 GB'. */
export function bytes(count) {
  if (typeof count !== 'number' || !Number.isFinite(count)) return UNKNOWN;
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let power = 0;
  let left = Math.abs(count);
  while (left >= 999.5 && power < units.length - 1) {
    left /= 1000;
    power += 1;
  }
  return `${left.toFixed(power > 0 && left < 10 ? 1 : 0)} ${units[power]}`;
}

/** '1 record', '2 records'. */
export function count(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

/** 'of' in percent, '' where there is nothing to compare with. */
export function percent(part, whole) {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : '';
}

export function clockTime(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

const OUTCOMES = {
  __proto__: null,
  complete: 'complete',
  screenedOut: 'screened out',
  failedCheck: 'failed a check',
  withdrew: 'withdrew',
  fault: 'technical fault',
  full: 'no place left',
};

export function outcome(name) {
  return OUTCOMES[name] ?? name;
}
