import { describe, expect, it } from 'vitest';

import { integral, latest, linePath, periods, periodStarts, rate } from '../series';
import { Sample } from '../wire';

const NOW = new Date(2026, 10, 20, 15, 0, 0);
const { today_s, month_s } = periodStarts(NOW);

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
  const counter: Sample[] = [
    [month_s - 10, 100],
    [month_s + 10, 110],
    [today_s - 10, 150],
    [today_s + 10, null],
    [today_s + 60, 175]
  ];

  it('is what a counter gained since', () => {
    expect(periods(counter, NOW)).toEqual({ today: 25, month: 75, total: 175 });
  });

  it('is all of it where the counter is younger', () => {
    expect(periods([[today_s + 5, 7]], NOW)).toEqual({ today: 7, month: 7, total: 7 });
  });

  it('is not known without samples', () => {
    expect(periods([[today_s, null]], NOW)).toEqual({ today: null, month: null, total: null });
  });
});

describe('rates and their integrals', () => {
  it('a rate is the gain per second, unknown where the counter is or fell', () => {
    const found = rate([[0, 0], [10, 20], [20, null], [30, 40], [40, 10]]); // prettier-ignore
    expect(found.map(each => each[1])).toEqual([2, null, null, null]);
  });

  it('an integral is cut off at the time asked for', () => {
    const watts: Sample[] = [[0, 10], [100, 10], [200, 20]]; // prettier-ignore
    expect(integral(watts, 0)).toBe(2500);
    expect(integral(watts, 150)).toBeCloseTo(17.5 * 50);
    expect(integral(watts, 300)).toBe(0);
  });

  it('a long gap counts as nothing, and no samples as not known', () => {
    expect(integral([[0, 10], [10_000, 10]], 0)).toBe(0); // prettier-ignore
    expect(integral([[0, null]], 0)).toBeNull();
  });

  it('the latest is the last that is known', () => {
    expect(latest([[0, 3], [1, null]])).toBe(3); // prettier-ignore
    expect(latest([])).toBeNull();
  });
});
