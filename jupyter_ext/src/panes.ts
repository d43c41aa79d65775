/**
 * Panes of dask-labextension, where it is installed: each is a page of the coordinator's dashboard.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

const LAUNCH = 'dask:launch-dashboard';

export interface IPane {
  label: string;
  open: () => void;
}

/** The pages that eco_dask adds to Dask's dashboard, as panes; none without dask-labextension. */
export function daskPanes(commands: CommandRegistry, trans: TranslationBundle): IPane[] {
  if (!commands.hasCommand(LAUNCH)) {
    return [];
  }
  const pages: [string, string][] = [
    ['individual-eco-network', trans.__('Network')],
    ['individual-eco-verification', trans.__('Verification')],
    ['individual-eco-points', trans.__('Points')],
    ['individual-eco-energy', trans.__('Energy')],
    ['individual-eco-jobs', trans.__('Jobs')]
  ];
  return pages.map(([route, label]) => ({
    label,
    open: () =>
      void commands.execute(LAUNCH, {
        item: { route: `/${route}`, label: `Eco ${label}`, key: `Eco ${label}` }
      })
  }));
}
