/**
 * What the server sends: the view model of eco_dask as JSON.
 *
 * null is "not known", never zero. mpt: thousandths of a point; uj: millionths of a joule.
 */

export type Maybe = number | null;

export interface ICoordinator {
  id: string;
  name: string;
  url: string;
  source: 'settings' | 'machine' | 'panel' | 'notebook' | 'link';
  scheduler: string | null;
  has_token: boolean;
}

export interface ICoordinators {
  coordinators: ICoordinator[];
  may_add: boolean;
  may_share: boolean;
}

export interface INetwork {
  providers_known: number;
  providers_connected: number;
  providers_paused: Maybe;
  slots: number;
  slots_busy: Maybe;
  leases_live: Maybe;
  tasks_waiting: Maybe;
}

export interface IVerification {
  accepted: number;
  attempts: number;
  attempts_per_task: Maybe;
  agreed: number;
  dissented: number;
  disputed: Maybe;
  audits: Maybe;
}

export interface IPoints {
  posted_mpt: number;
  pending_mpt: Maybe;
  reserved_mpt: Maybe;
  spent_mpt: Maybe;
}

export interface IEnergyFigures {
  /** What owners' bills rose by, and that with the idle power kept for the work. */
  marginal_uj: Maybe;
  reserved_uj: Maybe;
  gco2e_low: Maybe;
  gco2e_central: Maybe;
  gco2e_high: Maybe;
  /** The worst of what went in, "A" (metered) to "D" (defaults). */
  tier: string | null;
  /** Why nothing is known, where nothing is. */
  unknown: string | null;
}

export interface IEnergy extends IEnergyFigures {
  verification_uj: Maybe;
  /** Mean power of late, by the class of its meters. */
  watts_by_tier: Record<string, number> | null;
  baseline: IBaseline | null;
  baseline_unknown: string | null;
}

/** The same work elsewhere, such as in a cloud. */
export interface IBaseline {
  name: string;
  uj: number;
  saved_low_uj: number;
  saved_uj: number;
  saved_high_uj: number;
  gco2e_low: Maybe;
  gco2e_central: Maybe;
  gco2e_high: Maybe;
}

/** Somebody whose answers were wrong, or not served as committed to. */
export interface ICaught {
  owner: string;
  provider: string;
  reason: string;
  times: number;
}

export interface ISummary {
  at_s: number;
  network: INetwork;
  verification: IVerification;
  points: IPoints;
  energy: IEnergy;
}

export type JobState = 'running' | 'done' | 'failed' | 'cancelled';

export interface IJob {
  id: string;
  name: string;
  state: JobState;
  started_at_s: Maybe;
  ended_at_s: Maybe;
  /** null for jobs of the scheduler's earlier lives. */
  tasks: Maybe;
  done: Maybe;
  erred: Maybe;
  accepted: number;
  attempts: number;
  attempts_per_task: Maybe;
  spent_mpt: number;
  budget_mpt: Maybe;
  left_s: Maybe;
  quorum: Maybe;
  error_worst: Maybe;
  caught: ICaught[];
  energy: IEnergy;
}

export interface IProvider {
  id: string;
  owner: string;
  role: string;
  connected: boolean;
  revoked: boolean;
  /** Connected, and offers no slots now. */
  paused: boolean;
  slots: Maybe;
  leases_live: Maybe;
  tasks: number;
  agreed: number;
  dissented: number;
  strikes: number;
  strike_reasons: Record<string, number>;
  posted_mpt: number;
  pending_mpt: Maybe;
  energy: IEnergyFigures | null;
}

export type MachineState = 'off' | 'running' | 'refused' | 'failed';

/** What a provider on this machine says of itself, whoever started it. */
export interface IOwned {
  state: 'connecting' | 'waiting' | 'working' | 'paused' | 'finishing';
  why: string;
  provider: string | null;
  owner: string | null;
  slots: Maybe;
  tasks_held: Maybe;
  tasks_today: Maybe;
  today_mpt: Maybe;
  paid_mpt: Maybe;
  pending_mpt: Maybe;
  tasks_uj: Maybe;
  energy_source: string | null;
  sandbox: string | null;
}

export type Order = 'run' | 'pause' | 'finish';

export interface IMachine {
  owned: IOwned | null;
  state: MachineState;
  pid: number | null;
  started_at_s: Maybe;
  status: number | null;
  provider: string | null;
  link: string | null;
  slots: number | null;
  memory: string | null;
  cores: number | null;
  lines: string[];
}

/** One point of a time series: unix seconds and value. */
export type Sample = [number, Maybe];
