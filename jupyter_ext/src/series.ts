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

/** What a counter stood at when the day and the month began, of the reader's own calendar. */
export interface IStarts {
  today: Maybe;
  month: Maybe;
}

/** Midnight and the first of the month, in unix seconds. */
export function periodStarts(now: Date): { today: number; month: number } {
  const day = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const month = new Date(now.getFullYear(), now.getMonth(), 1);
  return { today: day.getTime() / 1000, month: month.getTime() / 1000 };
}

/** What a counter that only grows gained today, this month, and altogether. */
export function periods(total: Maybe, starts: IStarts | undefined): IPeriods {
  const since = (start: Maybe | undefined): Maybe =>
    total === null || start === null || start === undefined ? null : total - start;
  return { today: since(starts?.today), month: since(starts?.month), total };
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
