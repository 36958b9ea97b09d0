// Numbers in words: short, and of a width that does not jump about.

const DASH = "–";

/** 950, 1.2k, 34k, 1.2M. */
export function count(value: number | null): string {
  if (value === null) return DASH;
  return scaled(value, 1000, ["", "k", "M", "G", "T"], "");
}

/** 512 B, 1.4 kB, 20 MB: in steps of a thousand, as networks are counted. */
export function bytes(value: number | null): string {
  if (value === null) return DASH;
  return scaled(value, 1000, ["B", "kB", "MB", "GB", "TB"], " ");
}

export function rate(value: number | null): string {
  return value === null ? DASH : `${count(value)}/s`;
}

export function byteRate(value: number | null): string {
  return value === null ? DASH : `${bytes(value)}/s`;
}

/** Cores as a share of one: 12%, 240%; of many by their number. */
export function cores(value: number | null): string {
  if (value === null) return DASH;
  if (value >= 10) return `${Math.round(value)} cores`;
  const percent = value * 100;
  return `${percent < 9.95 ? trim(percent.toFixed(1)) : Math.round(percent)}%`;
}

/** 3 s, 4 min, 2 h, 5 days. */
export function span(milliseconds: number | null): string {
  if (milliseconds === null) return DASH;
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** The time of day, in the reader's own zone; with the day if that is another one. */
export function clock(at: number, now: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString("en-GB");
  return date.toDateString() === new Date(now).toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}

export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

function scaled(value: number, step: number, units: string[], between: string): string {
  let [size, unit] = [value, 0];
  while (Math.abs(size) >= step * 0.9995 && unit < units.length - 1) {
    size /= step;
    unit += 1;
  }
  const digits = Math.abs(size) < 9.95 && (unit > 0 || size % 1 !== 0) ? 1 : 0;
  return `${trim(size.toFixed(digits))}${between}${units[unit]}`.trim();
}

function trim(digits: string): string {
  return digits.replace(/\.0$/, "");
}
