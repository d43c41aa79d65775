import { describe, expect, it } from 'vitest';

import { clusterCode, connectionCode, literal } from '../code';
import { coordinator } from './made';

describe('code for notebooks', () => {
  it('connects to the scheduler', () => {
    expect(connectionCode(coordinator())).toContain('client = Client("tcp://127.0.0.1:8786")');
  });

  it('says which address is missing, on one line', () => {
    const code = connectionCode(coordinator({ scheduler: null, name: 'a\nname' }));
    expect(code).toContain('# the scheduler of a name\n');
  });

  it('quotes whatever an address holds', () => {
    expect(literal('a"b\\c\n')).toBe('"a\\"b\\\\c\\n"');
  });

  it('starts a cluster of the size asked for', () => {
    expect(clusterCode(7)).toContain('EcoCluster(n_providers=7)');
  });
});
