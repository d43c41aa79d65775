import { beforeEach, describe, expect, it } from 'vitest';

import { ApiError } from '../api';
import {
  COUNTERS,
  EcoModel,
  ordered,
  orderedProviders,
  power,
  progress,
  providerState,
  SERIES
} from '../model';
import { coordinator, job, MadeApi, NO_ENERGY, provider, summary } from './made';

let api: MadeApi;
let model: EcoModel;

beforeEach(() => {
  api = new MadeApi();
  model = new EcoModel(api);
});

describe('what is fetched', () => {
  it('the first coordinator is shown, with jobs, providers and series', async () => {
    await model.refresh();
    expect(model.coordinator?.id).toBe('c1');
    expect(model.state.jobs?.map(each => each.id)).toEqual(['job-1']);
    expect(Object.keys(model.state.series)).toEqual([...SERIES]);
  });

  it('all of a coordinator that comes later is fetched at once', async () => {
    api.list = [];
    await model.refresh();
    api.list = [coordinator()];
    await model.refresh();
    expect(model.state.providers).toHaveLength(1);
    expect(model.state.series.watts).toHaveLength(2);
  });

  it('series are asked for now and then only', async () => {
    for (let turn = 0; turn < 9; turn++) {
      await model.refresh();
    }
    const times = (name: string): number => api.asked.filter(each => each.startsWith(name)).length;
    expect(times('summary')).toBe(9);
    expect(times('jobs')).toBe(9);
    expect(times('providers')).toBe(3);
    expect(times('series')).toBe(SERIES.length);
    await model.refresh();
    expect(times('series')).toBe(2 * SERIES.length);
    // What the day and the month began with does not change meanwhile.
    expect(times('before')).toBe(2 * COUNTERS.length);
    expect(model.state.starts.posted_mpt).toEqual({ today: 1000, month: 1000 });
  });

  it('without a token only the public summary is asked for', async () => {
    api.list = [coordinator({ has_token: false })];
    await model.refresh();
    expect(api.asked.filter(each => /jobs|providers|series|before/.test(each))).toEqual([]);
    expect(model.state.summary).not.toBeNull();
    expect(model.state.jobs).toBeNull();
  });

  it('what a token does not open is left out, and the rest is shown', async () => {
    api.failing.jobs = new ApiError(403, 'not with this token');
    await model.refresh();
    expect(model.state.jobs).toBeNull();
    expect(model.state.providers).toHaveLength(1);
    expect(model.state.error).toBe('');
  });

  it('without coordinators nothing is asked of any', async () => {
    api.list = [];
    await model.refresh();
    expect(model.state.chosen).toBeNull();
    expect(model.state.coordinators).toEqual([]);
    expect(api.asked).toEqual(['coordinators', 'machine']);
  });

  it('a failure is said, slows the poll down, and goes when it passes', async () => {
    api.failing.summary = new Error('made does not answer');
    await expect(model.refresh()).rejects.toThrow('made does not answer');
    expect(model.state.error).toBe('made does not answer');
    api.failing = {};
    await model.refresh();
    expect(model.state.error).toBe('');
  });

  it('a coordinator that is gone gives way to the next, and its figures with it', async () => {
    api.list = [coordinator(), coordinator({ id: 'c2' })];
    await model.refresh();
    api.list = [coordinator({ id: 'c2', has_token: false })];
    await model.refresh();
    expect(model.coordinator?.id).toBe('c2');
    expect(model.state.jobs).toBeNull();
  });

  it('an answer that comes after another was chosen is left out', async () => {
    api.list = [coordinator(), coordinator({ id: 'c2' })];
    await model.refresh();
    let release = (): void => undefined;
    const late = new Promise<void>(resolve => (release = resolve));
    const jobs = api.jobs.bind(api);
    api.jobs = async id => {
      if (id === 'c1') {
        await late;
        return [job({ id: 'of c1' })];
      }
      return jobs(id);
    };
    const first = model.refresh();
    await model.pick('c2');
    release();
    await first;
    expect(model.state.jobs?.map(each => each.id)).toEqual(['job-1']);
  });
});

describe('what the user does', () => {
  it("a notebook's coordinator is shown, unless the user picked one", async () => {
    api.list = [coordinator(), coordinator({ id: 'c2' }), coordinator({ id: 'c3' })];
    await model.refresh();
    await model.discovered('c2');
    expect(model.state.chosen).toBe('c2');
    await model.pick('c3');
    await model.discovered('c2');
    expect(model.state.chosen).toBe('c3');
  });

  it('a coordinator that this server does not know is not shown', async () => {
    await model.refresh();
    await model.discovered('another');
    expect(model.state.chosen).toBe('c1');
  });

  it('a link is added and shown', async () => {
    expect(await model.add('https://host')).toBe(true);
    expect(model.state.chosen).toBe('c9');
  });

  it('what goes wrong becomes a notice, which can be dismissed', async () => {
    await model.refresh();
    api.failing.add = new Error('this is no link');
    expect(await model.add('x')).toBe(false);
    expect(model.state.notice).toBe('this is no link');
    expect(model.state.busy.size).toBe(0);
    model.dismiss();
    expect(model.state.notice).toBe('');
  });

  it('a cancelled job shows at once', async () => {
    await model.refresh();
    const busy: boolean[] = [];
    model.changed.connect(() => busy.push(model.state.busy.has('cancel job-1')));
    await model.cancel('job-1');
    expect(busy[0]).toBe(true);
    expect(busy[busy.length - 1]).toBe(false);
    expect(model.state.jobs?.[0].state).toBe('cancelled');
  });

  it('the machine is lent and taken back', async () => {
    await model.share({ slots: 2 });
    expect(model.state.machine?.state).toBe('running');
    await model.unshare();
    expect(model.state.machine?.state).toBe('off');
  });

  it('a cluster that was started is shown, and after its end the next', async () => {
    await model.refresh();
    await model.startCluster(3);
    expect(model.coordinator?.name).toBe('cluster of 3');
    await model.stopCluster('c7');
    expect(model.state.chosen).toBe('c1');
  });
});

describe('what is derived', () => {
  it('running jobs come first, the latest of each first', () => {
    const jobs = [
      job({ id: 'old', state: 'done', started_at_s: 1 }),
      job({ id: 'new', state: 'failed', started_at_s: 9 }),
      job({ id: 'unknown', state: 'done', started_at_s: null }),
      job({ id: 'runs', started_at_s: 3 })
    ];
    expect(ordered(jobs).map(each => each.id)).toEqual(['runs', 'new', 'old', 'unknown']);
  });

  it('progress counts what failed, and is not known before there are tasks', () => {
    expect(progress(job())).toBe(0.5);
    expect(progress(job({ tasks: 0, done: 0, erred: 0 }))).toBeNull();
    expect(progress(job({ tasks: null, done: null, erred: null }))).toBeNull();
  });

  it('a provider is what matters most of it', () => {
    expect(providerState(provider())).toBe('connected');
    expect(providerState(provider({ paused: true }))).toBe('paused');
    expect(providerState(provider({ connected: false, paused: true }))).toBe('away');
    expect(providerState(provider({ revoked: true }))).toBe('revoked');
  });

  it('connected providers come first, the busiest before', () => {
    const list = [
      provider({ id: 'gone', connected: false, tasks: 99 }),
      provider({ id: 'few', tasks: 1 }),
      provider({ id: 'many', tasks: 50 })
    ];
    expect(orderedProviders(list).map(each => each.id)).toEqual(['many', 'few', 'gone']);
  });

  it('power is what all classes of meters tell, or the latest of the series, or not known', () => {
    const state = { ...model.state, summary: summary() };
    expect(power(state)).toBe(42);
    const dark = { ...state, summary: summary({ energy: NO_ENERGY }) };
    expect(power(dark)).toBeNull();
    expect(power({ ...dark, series: { watts: [[1, 7]] } })).toBe(7);
  });
});
