/**
 * Time series: their shape as a small line, and what came in a day and a month.
 */

import { Maybe, Sample } from './wire';

/** Samples with a value. */
function valued(samples: Sample[]): [number, number][] {
  return samples.filter((each): each is [number, number] => each[1] !== null);
}

/** The last known value. */
export function latest(samples: Sample[]): Maybe {
  const known = valued(samples);
  return known.length ? known[known.length - 1][1] : null;
}

/**
 * The line as an SVG path in a box of the given size; broken where values are not known.
 *
 * The axis starts at zero, so that a small ripple looks small.
 */
export function linePath(samples: Sample[], width: number, height: number): string {
  const known = valued(samples);
  if (known.length < 2) {
    return '';
  }
  const first = known[0][0];
  const span = known[known.length - 1][0] - first || 1;
  const most = Math.max(...known.map(each => each[1]), 0) || 1;
  const least = Math.min(...known.map(each => each[1]), 0);
  let pen = 'M';
  const parts: string[] = [];
  for (const [at, value] of samples) {
    if (value === null) {
      pen = 'M';
      continue;
    }
    const x = ((at - first) / span) * width;
    const y = height - ((value - least) / (most - least)) * height;
    parts.push(`${pen}${x.toFixed(1)} ${y.toFixed(1)}`);
    pen = 'L';
  }
  return parts.join('');
}

export interface IPeriods {
  today: Maybe;
  month: Maybe;
  total: Maybe;
}

/** Midnight, and the first of the month, of the reader's own calendar. */
export function periodStarts(now: Date): { today_s: number; month_s: number } {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const month = new Date(now.getFullYear(), now.getMonth(), 1);
  return { today_s: day.getTime() / 1000, month_s: month.getTime() / 1000 };
}

/**
 * What a counter that only grows gained since midnight, since the first, and altogether.
 *
 * Before its first sample a counter of this network stood at zero.
 */
export function periods(counter: Sample[], now: Date): IPeriods {
  const known = valued(counter);
  if (!known.length) {
    return { today: null, month: null, total: null };
  }
  const total = known[known.length - 1][1];
  const { today_s, month_s } = periodStarts(now);
  const before = (at_s: number): number => {
    const earlier = known.filter(([at]) => at < at_s);
    return earlier.length ? earlier[earlier.length - 1][1] : 0;
  };
  return { today: total - before(today_s), month: total - before(month_s), total };
}

/** How much a counter grew from each sample to the next, per second. */
export function rate(counter: Sample[]): Sample[] {
  return counter.slice(1).map(([at, value], index): Sample => {
    const [before_at, before] = counter[index];
    if (value === null || before === null || at <= before_at) {
      return [at, null];
    }
    // A counter that falls was started anew.
    return [at, value >= before ? (value - before) / (at - before_at) : null];
  });
}

/** Longest time that a rate is taken to go on between two samples, seconds. */
const GAP_S = 900;

/** What a rate (such as watts) came to since a time (in joules); gaps count as nothing. */
export function integral(samples: Sample[], since_s: number): Maybe {
  const known = valued(samples);
  if (!known.length) {
    return null;
  }
  let sum = 0;
  for (let i = 1; i < known.length; i++) {
    const [from, before] = known[i - 1];
    const [to, after] = known[i];
    const start = Math.max(from, since_s);
    if (to > start && to - from <= GAP_S) {
      // The trapezoid, cut off at the time asked for.
      const at = before + ((after - before) * (start - from)) / (to - from);
      sum += ((at + after) / 2) * (to - start);
    }
  }
  return sum;
}
