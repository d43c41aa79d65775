import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot, Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Panel } from '../components/Panel';
import { IPanelContext } from '../components/context';
import { EcoModel } from '../model';
import { Status } from '../widget';
import {
  coordinator,
  ENERGY,
  job,
  MACHINE,
  MadeApi,
  NO_ENERGY,
  OWNED,
  provider,
  summary
} from './made';

let api: MadeApi;
let model: EcoModel;
let context: IPanelContext;
let host: HTMLElement;
let root: Root;

beforeEach(() => {
  api = new MadeApi();
  model = new EcoModel(api);
  context = {
    model,
    trans: nullTranslator.load('eco_dask'),
    run: vi.fn(),
    confirm: vi.fn(async () => true),
    panes: []
  };
  host = document.body.appendChild(document.createElement('div'));
  root = createRoot(host);
});

afterEach(() => {
  React.act(() => root.unmount());
  host.remove();
});

async function show(): Promise<void> {
  await model.refresh().catch(() => undefined);
  draw();
}

function draw(): void {
  React.act(() => root.render(<Panel state={model.state} context={context} />));
}

function text(name: string): string | undefined {
  return host.querySelector(`[data-eco="${name}"]`)?.textContent?.replaceAll('\u202f', ' ');
}

async function press(selector: string): Promise<void> {
  await React.act(async () => host.querySelector<HTMLElement>(selector)?.click());
  draw();
}

describe('the panel', () => {
  it('shows a job: progress, spend, attempts, how sure, energy, who was caught', async () => {
    api.jobList = [
      job({
        budget_mpt: 500_000,
        caught: [{ owner: 'mallory', provider: 'p4', reason: 'wrong-result', times: 3 }]
      })
    ];
    await show();
    expect(text('job-tasks')).toBe('4 of 10 tasks');
    expect(text('job-spent')).toBe('4 of 500 points');
    expect(text('job-attempts')).toBe('4 tasks, 1.25 attempts each');
    expect(text('job-sure')).toBe('wrong at most 1 in 10,000');
    expect(text('job-energy')).toBe('2.33 Wh, 900 mg CO₂e');
    expect(text('job-caught')).toBe('mallory: 3 × wrong-result');
    expect(host.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow')).toBe('50');
  });

  it('shows the network at a glance', async () => {
    await show();
    expect(text('providers')).toBe('2');
    expect(text('slots')).toBe('3');
    expect(text('attempts')).toBe('1.25');
    expect(text('watts')).toBe('42 W');
  });

  it('what is not known is no zero', async () => {
    api.found = summary({ energy: NO_ENERGY });
    api.jobList = [job({ energy: NO_ENERGY, error_worst: null, tasks: null, done: null })];
    await show();
    expect(text('job-energy')).toBe('no provider has a meter');
    expect(text('job-sure')).toBe('–');
    expect(text('job-tasks')).toBe('– of – tasks');
    expect(text('no-energy')).toBe('no provider has a meter');
    expect(text('energy-total')).toBe('–');
  });

  it('a loss against the cloud is shown as a loss', async () => {
    const baseline = {
      name: 'a cloud',
      uj: 1,
      saved_low_uj: -3e6,
      saved_uj: -2e6,
      saved_high_uj: 1e6,
      gco2e_low: null,
      gco2e_central: null,
      gco2e_high: null
    };
    api.found = summary({ energy: { ...ENERGY, baseline } });
    await show();
    expect(text('baseline')).toBe('2 J more here (-1 J – 3 J)');
  });

  it('names from strangers are text', async () => {
    api.providerList = [provider({ owner: '<img src=x onerror=alert(1)>' })];
    api.jobList = [job({ name: '<b>bold</b>' })];
    await show();
    expect(host.querySelector('img, b')).toBeNull();
    expect(host.textContent).toContain('<img src=x onerror=alert(1)>');
  });

  it('cancels after asking, and not when the user keeps the job', async () => {
    await show();
    vi.mocked(context.confirm).mockResolvedValueOnce(false);
    await press('[data-eco=cancel]');
    expect(api.asked).not.toContain('cancel c1 job-1');
    await press('[data-eco=cancel]');
    expect(api.asked).toContain('cancel c1 job-1');
    expect(text('job-state')).toBe('cancelled');
    expect(host.querySelector('[data-eco=cancel]')).toBeNull();
  });

  it('says what to do where there is nothing', async () => {
    api.jobList = [];
    api.providerList = [];
    await show();
    expect(text('no-jobs')).toContain('eco_dask.job(');
    expect(text('no-providers')).toContain('eco-dask invite');
  });

  it('says nothing of a network before it is known', () => {
    draw();
    expect(host.querySelector('[data-eco=no-jobs], [data-eco=no-providers]')).toBeNull();
  });

  it('says how to begin without a coordinator', async () => {
    api.list = [];
    await show();
    expect(text('no-coordinator')).toContain('No coordinator yet');
    expect(host.querySelector('[data-eco=insert]')).toBeNull();
  });

  it('says what only a token opens', async () => {
    api.list = [coordinator({ has_token: false })];
    await show();
    expect(text('no-jobs')).toContain('token');
    expect(text('no-providers')).toContain('token');
  });

  it('says what went wrong, aloud', async () => {
    api.failing.summary = new Error('made does not answer');
    await show();
    expect(text('error')).toBe('made does not answer');
    expect(host.querySelector('[data-eco=error]')?.getAttribute('role')).toBe('alert');
  });

  it('shows what the machine does, earns, and why not', async () => {
    api.lent = { ...MACHINE, state: 'running', owned: { ...OWNED, why: 'no demand' } };
    await show();
    expect(text('machine-state')).toBe('working');
    expect(text('machine-tasks')).toBe('1 now, 12 today');
    expect(text('machine-points')).toBe('3.5 today, 12 in all');
    expect(host.textContent).toContain('no demand');
    expect(host.textContent).toContain('this machine');
    await press('[data-eco=order-pause]');
    expect(text('machine-state')).toBe('paused');
    await press('[data-eco=order-run]');
    expect(text('machine-state')).toBe('waiting for work');
    await press('[data-eco=unshare]');
    expect(model.state.machine?.state).toBe('off');
  });

  it('a provider that was started elsewhere is shown, and left to who started it', async () => {
    api.lent = { ...MACHINE, owned: OWNED };
    await show();
    expect(text('machine-state')).toBe('working');
    expect(host.querySelector('[data-eco=unshare]')).toBeNull();
  });

  it('while it joins, shows what the provider says', async () => {
    api.lent = { ...MACHINE, state: 'running', lines: ['Joined as provider p1'] };
    await show();
    expect(host.textContent).toContain('Joined as provider p1');
  });

  it('every field and button has a name, and no link is shown while typed', async () => {
    await show();
    await press('[data-eco=add]');
    await press('[aria-controls=eco-machine-body]');
    for (const each of host.querySelectorAll('button, input, select')) {
      const label = each.getAttribute('aria-label') ?? each.closest('label')?.textContent;
      expect(label || each.textContent).toBeTruthy();
    }
    for (const name of ['link', 'join-link']) {
      expect(host.querySelector(`[data-eco=${name}]`)?.getAttribute('type')).toBe('password');
    }
  });

  it('sections fold by their buttons', async () => {
    await show();
    await press('[aria-controls=eco-jobs-body]');
    expect(host.querySelector('[data-eco=job-spent]')).toBeNull();
    const button = host.querySelector('[aria-controls=eco-jobs-body]');
    expect(button?.getAttribute('aria-expanded')).toBe('false');
  });
});

describe('the status bar', () => {
  function status(): void {
    React.act(() => root.render(<Status model={model} context={context} open={() => undefined} />));
  }

  it('shows jobs, points and watts', async () => {
    await show();
    status();
    expect(text('status')).toBe('1 job · 4 points · 42 W');
  });

  it('says when there is no connection, and nothing without a coordinator', async () => {
    api.failing.summary = new Error('gone');
    await show();
    status();
    expect(text('status')).toBe('no connection');
    api.list = [];
    await model.refresh();
    status();
    expect(text('status')).toBeUndefined();
  });
});
