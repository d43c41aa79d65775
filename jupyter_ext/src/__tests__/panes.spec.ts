import { describe, expect, it } from 'vitest';

import { Commands, daskPanes } from '../panes';

const trans = { __: (text: string) => text };

function made(...known: string[]): { commands: Commands; run: [string, unknown][] } {
  const run: [string, unknown][] = [];
  const commands = {
    hasCommand: (name: string) => known.includes(name),
    execute: (name: string, args: unknown) => {
      run.push([name, args]);
      return Promise.resolve(undefined);
    }
  } as unknown as Commands;
  return { commands, run };
}

describe('panes of dask-labextension', () => {
  it('there are none without it', () => {
    expect(daskPanes(made().commands, trans, () => 'http://h:1')).toEqual([]);
  });

  it('are of the coordinator that the panel shows', async () => {
    const { commands, run } = made('dask:launch-dashboard', 'dask:populate-dashboard-url');
    const [network] = daskPanes(commands, trans, () => 'http://h:1');
    network.open();
    await new Promise(resolve => setTimeout(resolve));
    expect(run[0]).toEqual(['dask:populate-dashboard-url', { url: 'http://h:1' }]);
    expect(run[1][0]).toBe('dask:launch-dashboard');
    expect(run[1][1]).toHaveProperty('item.route', '/individual-eco-network');
    expect(run[1][1]).toHaveProperty('item.label', 'Eco Network');
  });

  it.each([
    ['an older one', ['dask:launch-dashboard'], 'http://h:1'],
    ['no coordinator', ['dask:launch-dashboard', 'dask:populate-dashboard-url'], null]
  ])('open what it shows already with %s', async (_, known, url) => {
    const { commands, run } = made(...known);
    daskPanes(commands, trans, () => url)[0].open();
    await new Promise(resolve => setTimeout(resolve));
    expect(run.map(([name]) => name)).toEqual(['dask:launch-dashboard']);
  });
});
