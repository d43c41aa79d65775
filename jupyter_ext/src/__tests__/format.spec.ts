import { describe, expect, it } from 'vitest';

import * as format from '../format';

type Case = [(value: number | null) => string, number | null, string];

const CASES: Case[] = [
  [format.number, 0, '0'],
  [format.number, 0.0004, '0'],
  [format.number, 0.1234, '0.123'],
  [format.number, 1.234, '1.23'],
  [format.number, 12.34, '12.3'],
  [format.number, 123.4, '123'],
  [format.number, 1234567, '1,234,567'],
  [format.number, -12.34, '-12.3'],
  [format.count, 1234.4, '1,234'],
  [format.points, 0, '0'],
  [format.points, 1, '0.001'],
  [format.points, 48_250, '48.3'],
  [format.points, 1_234_567, '1,235'],
  [format.pointsExactly, 1_234_567, '1,234.567'],
  [format.pointsExactly, 5, '0.005'],
  [format.watts, 0, '0 W'],
  [format.watts, 0.25, '250 mW'],
  [format.watts, 66.71, '66.7 W'],
  [format.watts, 2300, '2.3 kW'],
  [format.energy, 0, '0 J'],
  [format.energy, 1500, '1.5 mJ'],
  [format.energy, 1_500_000, '1.5 J'],
  [format.energy, 3_599e6, '3,599 J'],
  [format.energy, 3_600e6, '1 Wh'],
  [format.energy, 8_400e6, '2.33 Wh'],
  [format.energy, -8_400e6, '-2.33 Wh'],
  [format.energy, 3.6e12, '1 kWh'],
  [format.grams, 0, '0 g'],
  [format.grams, 0.9, '900 mg'],
  [format.grams, 0.0000004, '0.4 µg'],
  [format.grams, 3100, '3.1 kg'],
  [format.duration, 0, '0 s'],
  [format.duration, 59.6, '1 min'],
  [format.duration, 200, '3 min 20 s'],
  [format.duration, 7500, '2 h 5 min'],
  [format.duration, 3600, '1 h'],
  [format.duration, 273_600, '3 d 4 h'],
  [format.share, 0, '0 %'],
  [format.share, 0.62, '62 %'],
  [format.share, 0.9999, '99 %'],
  [format.share, 1, '100 %'],
  [format.oneIn, 0, '0'],
  [format.oneIn, 0.5, '1 in 2'],
  [format.oneIn, 8.3e-5, '1 in 12,000'],
  [format.oneIn, 1e-12, '1 in 10^12']
];

describe('numbers as people read them', () => {
  it.each(CASES)('%o of %s is %s', (show, value, text) => {
    expect(show(value).replaceAll('\u202f', ' ')).toBe(text);
  });

  it.each([...new Set(CASES.map(([show]) => show))])('%o of nothing known is a dash', show => {
    for (const unknown of [null, NaN, Infinity]) {
      expect(show(unknown)).toBe(format.UNKNOWN);
    }
  });

  it('no result is called surer than it is', () => {
    for (const probability of [0.03, 1.01e-3, 3.333e-4, 9.99e-6]) {
      const odds = Number(format.oneIn(probability).replace('1 in ', '').replaceAll(',', ''));
      expect(1 / odds).toBeGreaterThanOrEqual(probability);
    }
  });

  it('long ids are cut', () => {
    expect(format.shortId('0123456789abcdef')).toBe('01234567…');
    expect(format.shortId('short')).toBe('short');
  });
});
