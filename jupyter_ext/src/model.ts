/**
 * What the panel knows, fetched again and again, and what the user does about it.
 *
 * poll ──► refresh() ──► changed ──► panel and status bar
 */

import { ISignal, Signal } from '@lumino/signaling';

import { ApiError, IApi, IOffer } from './api';
import { IStarts, latest, periodStarts } from './series';
import { ICoordinator, IJob, IMachine, IProvider, ISummary, Maybe, Order, Sample } from './wire';

/** Series that are drawn, of the last hour. */
export const SERIES = ['watts', 'posted_mpt'] as const;
export type SeriesName = (typeof SERIES)[number];
const SHOWN_S = 3600;

/** Series of which the day and the month are shown. */
export const COUNTERS = ['posted_mpt', 'marginal_uj'] as const;
export type CounterName = (typeof COUNTERS)[number];

/** Polls between two looks at what is long, and at what changes slowly. */
const LONG_EVERY = 3;
const SLOW_EVERY = 9;

export interface IState {
  /** null until the first answer. */
  coordinators: ICoordinator[] | null;
  mayAdd: boolean;
  mayShare: boolean;
  chosen: string | null;
  summary: ISummary | null;
  /** null where the coordinator's token does not open them. */
  jobs: IJob[] | null;
  providers: IProvider[] | null;
  series: Partial<Record<SeriesName, Sample[]>>;
  /** What counters stood at when the day and the month began. */
  starts: Partial<Record<CounterName, IStarts>>;
  machine: IMachine | null;
  /** What went wrong with the coordinator, in words; empty if nothing did. */
  error: string;
  /** What went wrong with the last thing the user did. */
  notice: string;
  /** Things under way, by a key such as "cancel job-1". */
  busy: ReadonlySet<string>;
}

const EMPTY: Pick<IState, 'summary' | 'jobs' | 'providers' | 'series' | 'starts' | 'error'> = {
  summary: null,
  jobs: [],
  providers: [],
  series: {},
  starts: {},
  error: ''
};

export class EcoModel {
  constructor(private readonly api: IApi) {}

  get state(): IState {
    return this._state;
  }

  /** The coordinator that is shown. */
  get coordinator(): ICoordinator | null {
    return this._state.coordinators?.find(each => each.id === this._state.chosen) ?? null;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Fetch all that is shown. Throws what the poll should slow down for. */
  async refresh(): Promise<void> {
    await this.refreshCoordinators();
    const turn = this._turn++;
    const slow = turn % SLOW_EVERY === 0;
    if (slow || lent(this._state.machine)) {
      const machine = await this.api.machine();
      this.set({ machine });
    }
    const chosen = this._state.chosen;
    if (chosen !== null) {
      await this.refreshChosen(chosen, slow, turn % LONG_EVERY === 0);
    }
  }

  /** Show another coordinator. */
  async choose(id: string | null): Promise<void> {
    if (id === this._state.chosen) {
      return;
    }
    this._turn = 0;
    this.set({ ...EMPTY, chosen: id });
    await this.refresh();
  }

  /** Show the coordinator of the notebook in front, unless the user has chosen one. */
  async discovered(id: string): Promise<void> {
    await this.refreshCoordinators();
    const known = this._state.coordinators?.some(each => each.id === id);
    if (known && !this._picked) {
      await this.choose(id);
    }
  }

  /** The user's own choice stays. */
  async pick(id: string): Promise<void> {
    this._picked = true;
    await this.choose(id);
  }

  async add(link: string): Promise<boolean> {
    return this.act('add', async () => {
      const added = await this.api.add(link);
      await this.refreshCoordinators();
      await this.pick(added.id);
    });
  }

  async remove(id: string): Promise<boolean> {
    return this.act(`remove ${id}`, async () => {
      await this.api.remove(id);
      await this.refreshCoordinators();
    });
  }

  async cancel(job: string): Promise<boolean> {
    return this.act(`cancel ${job}`, async () => {
      const chosen = this._state.chosen;
      if (chosen !== null) {
        await this.api.cancel(chosen, job);
        await this.refreshChosen(chosen, false, true);
      }
    });
  }

  async share(offer: IOffer): Promise<boolean> {
    return this.act('machine', async () => {
      this.set({ machine: await this.api.share(offer) });
    });
  }

  /** Have the provider on this machine pause, go on, or take nothing new. */
  async order(order: Order): Promise<boolean> {
    return this.act('machine', async () => {
      this.set({ machine: await this.api.order(order) });
    });
  }

  async unshare(): Promise<boolean> {
    return this.act('machine', async () => {
      this.set({ machine: await this.api.unshare() });
    });
  }

  async startCluster(providers: number): Promise<boolean> {
    return this.act('cluster', async () => {
      const started = await this.api.startCluster(providers);
      await this.refreshCoordinators();
      await this.pick(started.id);
    });
  }

  async stopCluster(id: string): Promise<boolean> {
    return this.act(`stop ${id}`, async () => {
      await this.api.stopCluster(id);
      this._picked = false;
      await this.refreshCoordinators();
    });
  }

  /** Take the last complaint away. */
  dismiss(): void {
    this.set({ notice: '' });
  }

  private async refreshCoordinators(): Promise<void> {
    const found = await this.api.coordinators();
    const list = found.coordinators;
    const chosen = this._state.chosen;
    const gone = !list.some(each => each.id === chosen);
    const next = gone ? (list[0]?.id ?? null) : chosen;
    if (gone) {
      this._picked = false;
    }
    if (next !== chosen) {
      // Of another coordinator all is fetched at once.
      this._turn = 0;
    }
    this.set({
      coordinators: list,
      mayAdd: found.may_add,
      mayShare: found.may_share,
      chosen: next,
      ...(next !== chosen ? EMPTY : {})
    });
  }

  private async refreshChosen(id: string, slow: boolean, long: boolean): Promise<void> {
    try {
      const summary = await this.api.summary(id);
      // Without a token only the summary is public.
      const open = this.coordinator?.has_token === true;
      const [jobs, providers] = open
        ? await Promise.all([
            allowed(this.api.jobs(id)),
            long ? allowed(this.api.providers(id)) : this._state.providers
          ])
        : [null, null];
      if (this._state.chosen !== id) {
        return;
      }
      this.set({ summary, jobs, providers, error: '' });
      if (slow && open) {
        await this.refreshSeries(id, summary.at_s);
      }
    } catch (error) {
      if (this._state.chosen === id) {
        this.set({ error: words(error) });
      }
      throw error;
    }
  }

  private async refreshSeries(id: string, at_s: number): Promise<void> {
    const [lines, starts] = await Promise.all([
      Promise.all(SERIES.map(name => allowed(this.api.series(id, name, at_s - SHOWN_S)))),
      Promise.all(COUNTERS.map(name => allowed(this.startsOf(id, name, at_s))))
    ]);
    if (this._state.chosen === id) {
      this.set({
        series: Object.fromEntries(SERIES.map((name, i) => [name, lines[i] ?? []])),
        starts: Object.fromEntries(COUNTERS.map((name, i) => [name, starts[i] ?? undefined]))
      });
    }
  }

  private async startsOf(id: string, name: CounterName, at_s: number): Promise<IStarts> {
    const { today, month } = periodStarts(new Date(at_s * 1000));
    const key = `${id} ${name} ${today}`;
    let known = this._starts.get(key);
    if (known === undefined) {
      const [day, first] = await Promise.all([
        this.api.before(id, name, today),
        this.api.before(id, name, month)
      ]);
      known = { today: day, month: first };
      this._starts.set(key, known);
    }
    return known;
  }

  /** Do what the user asked for; a failure becomes a notice. */
  private async act(key: string, what: () => Promise<void>): Promise<boolean> {
    this.set({ busy: new Set([...this._state.busy, key]), notice: '' });
    try {
      await what();
      return true;
    } catch (error) {
      this.set({ notice: words(error) });
      return false;
    } finally {
      this.set({ busy: new Set([...this._state.busy].filter(each => each !== key)) });
    }
  }

  private set(part: Partial<IState>): void {
    this._state = { ...this._state, ...part };
    this._changed.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _turn = 0;
  /** They do not change before the day does. */
  private readonly _starts = new Map<string, IStarts>();
  private _picked = false;
  private _state: IState = {
    coordinators: null,
    mayAdd: true,
    mayShare: true,
    chosen: null,
    machine: null,
    notice: '',
    busy: new Set(),
    ...EMPTY
  };
}

/** What a request gave; null where the token does not open it. */
async function allowed<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) {
      return null;
    }
    throw error;
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a provider runs on this machine, whoever started it. */
export function lent(machine: IMachine | null): boolean {
  return machine !== null && (machine.state === 'running' || machine.owned !== null);
}

/** Power of all providers that tell it; null where none does. */
export function power(state: IState): Maybe {
  const byTier = state.summary?.energy.watts_by_tier;
  return byTier
    ? Object.values(byTier).reduce((sum, each) => sum + each, 0)
    : latest(state.series.watts ?? []);
}

/** Running jobs first, the latest of each first. */
export function ordered(jobs: IJob[]): IJob[] {
  const rank = (job: IJob): number => (job.state === 'running' ? 0 : 1);
  return [...jobs].sort(
    (a, b) => rank(a) - rank(b) || (b.started_at_s ?? 0) - (a.started_at_s ?? 0)
  );
}

/** Done and failed tasks of all, from 0 to 1; null before there are any. */
export function progress(job: IJob): number | null {
  return job.tasks ? Math.min(1, ((job.done ?? 0) + (job.erred ?? 0)) / job.tasks) : null;
}

export type ProviderState = 'connected' | 'paused' | 'away' | 'revoked';

export function providerState(provider: IProvider): ProviderState {
  if (provider.revoked) {
    return 'revoked';
  }
  return !provider.connected ? 'away' : provider.paused ? 'paused' : 'connected';
}

/** Connected ones first, then those that have done most. */
export function orderedProviders(providers: IProvider[]): IProvider[] {
  const rank = { connected: 0, paused: 1, away: 2, revoked: 3 };
  return [...providers].sort(
    (a, b) => rank[providerState(a)] - rank[providerState(b)] || b.tasks - a.tasks
  );
}
