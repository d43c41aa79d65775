/**
 * Requests to the server side of this extension, with Jupyter's own login and XSRF token.
 */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import {
  ICoordinator,
  ICoordinators,
  IJob,
  IMachine,
  IProvider,
  ISummary,
  Order,
  Sample
} from './wire';

/** What a request came to, in words for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string
  ) {
    super(message);
  }
}

export interface IOffer {
  link?: string;
  slots?: number;
  memory?: string;
}

/** What the model asks; tests have another one. */
export interface IApi {
  coordinators(): Promise<ICoordinators>;
  add(link: string): Promise<ICoordinator>;
  remove(id: string): Promise<void>;
  summary(id: string): Promise<ISummary>;
  jobs(id: string): Promise<IJob[]>;
  providers(id: string): Promise<IProvider[]>;
  /** Samples since a time, in unix seconds. */
  series(id: string, name: string, since_s: number): Promise<Sample[]>;
  /** What a series stood at before a time; zero if it had not begun. */
  before(id: string, name: string, at_s: number): Promise<number>;
  cancel(id: string, job: string): Promise<void>;
  machine(): Promise<IMachine>;
  share(offer: IOffer): Promise<IMachine>;
  order(order: Order): Promise<IMachine>;
  unshare(): Promise<IMachine>;
  startCluster(providers: number): Promise<ICoordinator>;
  stopCluster(id: string): Promise<void>;
}

const JOBS_SHOWN = 20;
const PROVIDERS_SHOWN = 1000;

export class Api implements IApi {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  coordinators(): Promise<ICoordinators> {
    return this.ask('coordinators');
  }

  add(link: string): Promise<ICoordinator> {
    return this.ask('coordinators', 'POST', { link });
  }

  remove(id: string): Promise<void> {
    return this.ask(`coordinators/${id}`, 'DELETE');
  }

  summary(id: string): Promise<ISummary> {
    return this.ask(`c/${id}/summary`);
  }

  async jobs(id: string): Promise<IJob[]> {
    return (await this.ask<{ jobs: IJob[] }>(`c/${id}/jobs?limit=${JOBS_SHOWN}`)).jobs;
  }

  async providers(id: string): Promise<IProvider[]> {
    const path = `c/${id}/providers?limit=${PROVIDERS_SHOWN}`;
    return (await this.ask<{ providers: IProvider[] }>(path)).providers;
  }

  async series(id: string, name: string, since_s: number): Promise<Sample[]> {
    const path = `c/${id}/series/${name}?since=${Math.round(since_s)}`;
    return (await this.ask<{ samples: Sample[] }>(path)).samples;
  }

  async before(id: string, name: string, at_s: number): Promise<number> {
    // Of how ever many samples, the last one is always there.
    const path = `c/${id}/series/${name}?since=0&until=${Math.round(at_s) - 1}&points=2`;
    const { samples } = await this.ask<{ samples: Sample[] }>(path);
    return samples.length ? (samples[samples.length - 1][1] ?? 0) : 0;
  }

  cancel(id: string, job: string): Promise<void> {
    return this.ask(`c/${id}/jobs/${encodeURIComponent(job)}/cancel`, 'POST', {});
  }

  machine(): Promise<IMachine> {
    return this.ask('machine');
  }

  share(offer: IOffer): Promise<IMachine> {
    return this.ask('machine', 'POST', offer);
  }

  order(order: Order): Promise<IMachine> {
    return this.ask('machine', 'PATCH', { order });
  }

  unshare(): Promise<IMachine> {
    return this.ask('machine', 'DELETE');
  }

  startCluster(providers: number): Promise<ICoordinator> {
    return this.ask('clusters', 'POST', { providers });
  }

  stopCluster(id: string): Promise<void> {
    return this.ask(`clusters/${id}`, 'DELETE');
  }

  private async ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
    const known = method === 'GET' ? this._known.get(path) : undefined;
    const init: RequestInit = { method };
    if (known !== undefined) {
      init.headers = { 'If-None-Match': known.tag };
    }
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    const url = URLExt.join(this.settings.baseUrl, 'eco-dask', path);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      throw new ApiError(0, String((error as Error).message ?? error));
    }
    if (response.status === 304 && known !== undefined) {
      return known.answer as T;
    }
    const answer = parsed(await response.text());
    if (!response.ok) {
      const words = (answer as { message?: string } | undefined)?.message;
      throw new ApiError(response.status, words || `HTTP ${response.status}`);
    }
    const tag = response.headers.get('Etag');
    if (method === 'GET' && tag !== null) {
      this._known.set(path, { tag, answer });
    }
    return answer as T;
  }

  /** Answers by path, which the server need not send again. */
  private readonly _known = new Map<string, { tag: string; answer: unknown }>();
}

function parsed(text: string): unknown {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
