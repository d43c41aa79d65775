/** Values that tests vary. */

import { IApi } from '../api';
import {
  ICoordinator,
  IEnergy,
  IJob,
  IMachine,
  IOwned,
  IProvider,
  ISummary,
  Order,
  Sample
} from '../wire';

export function coordinator(other: Partial<ICoordinator> = {}): ICoordinator {
  return {
    id: 'c1',
    name: 'made',
    url: 'http://127.0.0.1:8787',
    source: 'settings',
    scheduler: 'tcp://127.0.0.1:8786',
    has_token: true,
    ...other
  };
}

export const ENERGY: IEnergy = {
  marginal_uj: 8.4e9,
  reserved_uj: 9e9,
  gco2e_low: 0.6,
  gco2e_central: 0.9,
  gco2e_high: 1.4,
  tier: 'A',
  unknown: null,
  verification_uj: 1e9,
  watts_by_tier: { A: 40, C: 2 },
  baseline: null,
  baseline_unknown: null
};

export const NO_ENERGY: IEnergy = {
  ...ENERGY,
  marginal_uj: null,
  reserved_uj: null,
  gco2e_low: null,
  gco2e_central: null,
  gco2e_high: null,
  tier: null,
  watts_by_tier: null,
  unknown: 'no provider has a meter'
};

export function job(other: Partial<IJob> = {}): IJob {
  return {
    id: 'job-1',
    name: 'a job',
    state: 'running',
    started_at_s: 100,
    ended_at_s: null,
    tasks: 10,
    done: 4,
    erred: 1,
    accepted: 4,
    attempts: 5,
    attempts_per_task: 1.25,
    spent_mpt: 4000,
    budget_mpt: null,
    left_s: 30,
    quorum: null,
    error_worst: 1e-4,
    caught: [],
    energy: ENERGY,
    ...other
  };
}

export function provider(other: Partial<IProvider> = {}): IProvider {
  return {
    id: 'p1',
    owner: 'ann',
    role: 'provider',
    connected: true,
    revoked: false,
    paused: false,
    slots: 2,
    leases_live: 1,
    tasks: 12,
    agreed: 11,
    dissented: 0,
    strikes: 0,
    strike_reasons: {},
    posted_mpt: 12_000,
    pending_mpt: 0,
    energy: null,
    ...other
  };
}

export function summary(other: Partial<ISummary> = {}): ISummary {
  return {
    at_s: 1_800_000_000,
    network: {
      providers_known: 3,
      providers_connected: 2,
      providers_paused: 0,
      slots: 4,
      slots_busy: 3,
      leases_live: 3,
      tasks_waiting: 6
    },
    verification: {
      accepted: 4,
      attempts: 5,
      attempts_per_task: 1.25,
      agreed: 5,
      dissented: 0,
      disputed: 0,
      audits: 0
    },
    points: { posted_mpt: 4000, pending_mpt: 100, reserved_mpt: 0, spent_mpt: 4000 },
    energy: ENERGY,
    ...other
  };
}

export const OWNED: IOwned = {
  state: 'working',
  why: '',
  provider: 'p1',
  owner: 'ann',
  slots: 2,
  tasks_held: 1,
  tasks_today: 12,
  today_mpt: 3500,
  paid_mpt: 12_000,
  pending_mpt: null,
  tasks_uj: 5e6,
  energy_source: 'a meter',
  sandbox: 'no network, no home folder'
};

export const MACHINE: IMachine = {
  owned: null,
  state: 'off',
  pid: null,
  started_at_s: null,
  status: null,
  provider: null,
  link: null,
  slots: null,
  memory: null,
  cores: 8,
  lines: []
};

/** A server that answers with what it was given, and writes down what it was asked. */
export class MadeApi implements IApi {
  list: ICoordinator[] = [coordinator()];
  jobList: IJob[] = [job()];
  providerList: IProvider[] = [provider()];
  found: ISummary = summary();
  lent: IMachine = MACHINE;
  /** What fails, by the name of the request. */
  failing: Record<string, Error> = {};
  asked: string[] = [];

  coordinators() {
    return this.answer('coordinators', {
      coordinators: this.list,
      may_add: true,
      may_share: true
    });
  }
  add(link: string) {
    const added = coordinator({ id: 'c9', name: link, source: 'link' });
    if (!this.failing.add) {
      this.list = [...this.list, added];
    }
    return this.answer('add', added);
  }
  remove(id: string) {
    this.list = this.list.filter(each => each.id !== id);
    return this.answer('remove', undefined);
  }
  summary(id: string) {
    return this.answer(`summary ${id}`, this.found);
  }
  jobs(id: string) {
    return this.answer(`jobs ${id}`, this.jobList);
  }
  providers(id: string) {
    return this.answer(`providers ${id}`, this.providerList);
  }
  series(id: string, name: string) {
    return this.answer<Sample[]>(`series ${id} ${name}`, [
      [1, 1],
      [2, 2]
    ]);
  }
  before(id: string, name: string, at_s: number) {
    return this.answer(`before ${id} ${name} ${at_s}`, 1000);
  }
  cancel(id: string, name: string) {
    this.jobList = this.jobList.map(each =>
      each.id === name ? { ...each, state: 'cancelled' } : each
    );
    return this.answer(`cancel ${id} ${name}`, undefined);
  }
  machine() {
    return this.answer('machine', this.lent);
  }
  share() {
    this.lent = { ...MACHINE, state: 'running', pid: 1 };
    return this.answer('share', this.lent);
  }
  order(order: Order) {
    const state = order === 'run' ? 'waiting' : order === 'pause' ? 'paused' : 'finishing';
    this.lent = { ...this.lent, owned: { ...OWNED, state } };
    return this.answer(`order ${order}`, this.lent);
  }
  unshare() {
    this.lent = MACHINE;
    return this.answer('unshare', this.lent);
  }
  startCluster(providers: number) {
    const started = coordinator({ id: 'c7', name: `cluster of ${providers}`, source: 'panel' });
    this.list = [started, ...this.list];
    return this.answer('startCluster', started);
  }
  stopCluster(id: string) {
    return this.remove(id);
  }

  private async answer<T>(name: string, value: T): Promise<T> {
    this.asked.push(name);
    const failing = this.failing[name.split(' ')[0]];
    if (failing) {
      throw failing;
    }
    return value;
  }
}
