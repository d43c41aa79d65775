/**
 * Numbers as people read them, always with their unit; "–" is what is not known.
 *
 * The locale is fixed: the panel's words are translated, and digits must not contradict the
 * coordinator's own pages.
 */

export const UNKNOWN = '–';

const THIN = '\u202f';

type Value = number | null | undefined;

function known(value: Value): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Three significant digits, thousands apart, no exponent. */
export function number(value: Value): string {
  if (!known(value)) {
    return UNKNOWN;
  }
  const size = Math.abs(value);
  const decimals = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const rounded = Number(value.toFixed(decimals));
  return rounded.toLocaleString('en-US', { maximumFractionDigits: decimals });
}

/** A whole number of things. */
export function count(value: Value): string {
  return known(value) ? Math.round(value).toLocaleString('en-US') : UNKNOWN;
}

function scaled(value: Value, units: [number, string][]): string {
  if (!known(value)) {
    return UNKNOWN;
  }
  const size = Math.abs(value);
  const [factor, unit] = units.find(([least]) => size >= least) ?? units[units.length - 1];
  return `${number(value / factor)}${THIN}${unit}`;
}

/** Points of thousandths. */
export function points(mpt: Value): string {
  if (!known(mpt)) {
    return UNKNOWN;
  }
  return mpt !== 0 && Math.abs(mpt) < 1 ? '<0.001' : number(mpt / 1000);
}

/** All digits, for what shows when the pointer rests. */
export function pointsExactly(mpt: Value): string {
  return known(mpt) ? (mpt / 1000).toLocaleString('en-US', { minimumFractionDigits: 3 }) : UNKNOWN;
}

export function watts(w: Value): string {
  if (known(w) && w === 0) {
    return `0${THIN}W`;
  }
  return scaled(w, [
    [1e6, 'MW'],
    [1e3, 'kW'],
    [1, 'W'],
    [1e-3, 'mW']
  ]);
}

/** Energy of millionths of a joule: joules up to a watt-hour, watt-hours beyond. */
export function energy(uj: Value): string {
  if (!known(uj)) {
    return UNKNOWN;
  }
  const joules = uj / 1e6;
  if (joules === 0) {
    return `0${THIN}J`;
  }
  if (Math.abs(joules) < 3600) {
    return scaled(joules, [
      [1, 'J'],
      [1e-3, 'mJ']
    ]);
  }
  return scaled(joules / 3600, [
    [1e6, 'MWh'],
    [1e3, 'kWh'],
    [1, 'Wh']
  ]);
}

export function grams(g: Value): string {
  if (known(g) && g === 0) {
    return `0${THIN}g`;
  }
  return scaled(g, [
    [1e6, 't'],
    [1e3, 'kg'],
    [1, 'g'],
    [1e-3, 'mg'],
    [1e-6, 'µg']
  ]);
}

/** Two units at most: "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
export function duration(seconds: Value): string {
  if (!known(seconds)) {
    return UNKNOWN;
  }
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole}${THIN}s`;
  }
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's']
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${THIN}${unit}`)
    .join(' ');
}

export function share(fraction: Value): string {
  if (!known(fraction)) {
    return UNKNOWN;
  }
  // All is said only of all.
  const percent = fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
  return `${percent}${THIN}%`;
}

/** A small probability as people say it: "1 in 12,000". */
export function oneIn(probability: Value): string {
  if (!known(probability) || probability < 0) {
    return UNKNOWN;
  }
  if (probability === 0) {
    return '0';
  }
  const odds = 1 / probability;
  const digits = Math.max(0, Math.floor(Math.log10(odds)) - 1);
  // Rounded down: no result is called surer than it is.
  const rounded = Math.floor(odds / 10 ** digits) * 10 ** digits;
  return odds >= 1e9 ? `1 in 10^${Math.floor(Math.log10(odds))}` : `1 in ${count(rounded)}`;
}

/** The start of a long id. */
export function shortId(id: string): string {
  return id.length > 10 ? `${id.slice(0, 8)}…` : id;
}
