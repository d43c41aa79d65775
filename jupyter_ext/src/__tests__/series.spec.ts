import { describe, expect, it } from 'vitest';

import { latest, linePath, periods, periodStarts, rate } from '../series';

describe('a small line', () => {
  it('needs two samples', () => {
    expect(linePath([], 100, 10)).toBe('');
    expect(linePath([[0, 1]], 100, 10)).toBe('');
  });

  it('starts at zero, so that a ripple looks small', () => {
    const path = linePath([[0, 100], [10, 99]], 100, 10); // prettier-ignore
    expect(path).toBe('M0.0 0.0L100.0 0.1');
  });

  it('is broken where nothing is known', () => {
    const path = linePath([[0, 1], [5, null], [10, 1], [20, 0]], 100, 10); // prettier-ignore
    expect(path).toBe('M0.0 0.0M50.0 0.0L100.0 10.0');
  });

  it('of zeros lies on the ground', () => {
    expect(linePath([[0, 0], [10, 0]], 100, 10)).toBe('M0.0 10.0L100.0 10.0'); // prettier-ignore
  });
});

describe('what came in a day and a month', () => {
  it('is what a counter gained since they began', () => {
    expect(periods(175, { today: 150, month: 100 })).toEqual({ today: 25, month: 75, total: 175 });
  });

  it('is not known where the counter is not, or its start', () => {
    const unknown = { today: null, month: null };
    expect(periods(null, { today: 1, month: 1 })).toEqual({ ...unknown, total: null });
    expect(periods(7, undefined)).toEqual({ ...unknown, total: 7 });
  });

  it('day and month begin at the reader’s own midnight', () => {
    const { today, month } = periodStarts(new Date(2026, 10, 20, 15, 30));
    expect(new Date(today * 1000)).toEqual(new Date(2026, 10, 20));
    expect(new Date(month * 1000)).toEqual(new Date(2026, 10, 1));
  });
});

describe('rates', () => {
  it('a rate is the gain per second, unknown where the counter is or fell', () => {
    const found = rate([[0, 0], [10, 20], [20, null], [30, 40], [40, 10]]); // prettier-ignore
    expect(found.map(each => each[1])).toEqual([2, null, null, null]);
  });

  it('the latest is the last that is known', () => {
    expect(latest([[0, 3], [1, null]])).toBe(3); // prettier-ignore
    expect(latest([])).toBeNull();
  });
});
