/**
 * Code that the panel writes into notebooks and asks kernels to run. It never holds a token.
 */

import { ICoordinator } from './wire';

/** A Python string literal. */
export function literal(text: string): string {
  // JSON's escapes are Python's too.
  return JSON.stringify(text);
}

/** Code that connects to a coordinator. */
export function connectionCode(coordinator: ICoordinator): string {
  const address = coordinator.scheduler;
  return [
    'import eco_dask',
    'from dask.distributed import Client',
    '',
    address === null
      ? `client = Client("tcp://...")  # the scheduler of ${coordinator.name.replace(/\s+/g, ' ')}`
      : `client = Client(${literal(address)})`,
    'client'
  ].join('\n');
}

/** Code that starts a network on this machine. */
export function clusterCode(providers: number): string {
  return [
    'import eco_dask',
    'from dask.distributed import Client',
    '',
    `cluster = eco_dask.EcoCluster(n_providers=${providers})`,
    'client = Client(cluster)',
    'client'
  ].join('\n');
}

/** Code around a computation, to fill in. */
export function jobCode(): string {
  return [
    'with eco_dask.job("my job", error=1e-4) as job:',
    '    result = x.compute()  # any Dask collection, delayed or futures',
    'job.report()'
  ].join('\n');
}

/**
 * An expression that has a kernel tell this user's Jupyter server where its client is connected to.
 *
 * It imports nothing in kernels that do not use Dask's client, and gives back no token.
 */
export const ANNOUNCE = [
  "__import__('eco_dask.jupyter.announced', fromlist=['announce']).announce()",
  "if 'distributed.client' in __import__('sys').modules",
  "and __import__('importlib.util', fromlist=['util']).find_spec('eco_dask')",
  'else None'
].join(' ');

/** Forms and examples that the panel shows. */
export const LINK_FORM = 'https://host:8787/#token=…';
export const JOIN_FORM = 'eco-dask://…';
export const JOB_EXAMPLE = 'with eco_dask.job("my job", error=1e-4):\n    x.compute()';
export const INVITE_EXAMPLE = 'eco-dask invite --owner NAME';
