/** Names of this extension, its parts and its commands. */

export const PLUGIN_ID = 'eco-dask:plugin';
export const STATUS_ID = 'eco-dask:status';
export const PANEL_ID = 'eco-dask-panel';

export const CommandIds = {
  open: 'eco-dask:open',
  refresh: 'eco-dask:refresh',
  insertConnection: 'eco-dask:insert-connection',
  insertJob: 'eco-dask:insert-job',
  newCluster: 'eco-dask:new-cluster',
  dashboard: 'eco-dask:open-dashboard',
  stopSharing: 'eco-dask:stop-sharing'
} as const;
